import type { Testbed, TokenGrid } from '../contract/testbed.ts';

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

/** Angles by which a testbed's positions turn queries and keys, `[length, headDim/2]`; undefined where they turn nothing. */
export function anglesOf(
  { position, grid }: Pick<Testbed, 'position' | 'grid'>,
  length: number,
  headDim: number,
): Float64Array | undefined {
  if (position === 'rotary') return rotaryAngles(length, headDim);
  return position === 'axial' ? axialAngles(grid!, length, headDim) : undefined;
}

/**
 * Angles of axial positions (Heo et al. 2024, section 3.1), `[length, headDim/2]`: the pairs of dimensions are dealt to the axes in turn, the first
 * axes getting one more where they do not divide; the m-th of an axis's n pairs turns by p/100^(m/n) at place p. Tokens before the grid do not turn.
 */
export function axialAngles({ sizes, globals }: TokenGrid, length: number, headDim: number): Float64Array {
  const half = headDim / 2;
  const shares = sizes.map((_, axis) => Math.floor((half - 1 - axis) / sizes.length) + 1);
  const strides = sizes.map((_, axis) => sizes.slice(axis + 1).reduce((product, size) => product * size, 1));
  const pairs = shares.flatMap((count, axis) => Array.from({ length: count }, (_, m) => ({ axis, frequency: 100 ** (-m / count) })));
  return Float64Array.from({ length: length * half }, (_, at) => {
    const { axis, frequency } = pairs[at % half]!;
    const token = Math.floor(at / half) - globals;
    return token < 0 ? 0 : (Math.floor(token / strides[axis]!) % sizes[axis]!) * frequency;
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
