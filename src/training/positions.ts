/**
 * Sinusoidal encoding (Vaswani et al. 2017, section 3.5), `[length, width]`: PE[p, 2i] = sin(p/10000^(2i/width)), PE[p, 2i+1] the
 * cosine of the same angle.
 */
export function sinusoidalTable(length: number, width: number): Float64Array {
  return Float64Array.from({ length: length * width }, (_, at) => {
    const [position, column] = [Math.floor(at / width), at % width];
    const angle = position / 10_000 ** ((column - (column % 2)) / width);
    return column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
}

/** Angles of rotary positions (Su et al. 2021, section 3.4.2), `[length, headDim/2]`: p/10000^(2m/headDim). */
export function rotaryAngles(length: number, headDim: number): Float64Array {
  const half = headDim / 2;
  return Float64Array.from({ length: length * half }, (_, at) => Math.floor(at / half) / 10_000 ** ((2 * (at % half)) / headDim));
}

/** ALiBi's slopes (Press et al. 2022, section 3), `[heads]`: 2^(−8(h+1)/heads). */
export function alibiSlopes(heads: number): Float64Array {
  return Float64Array.from({ length: heads }, (_, head) => 2 ** ((-8 * (head + 1)) / heads));
}
