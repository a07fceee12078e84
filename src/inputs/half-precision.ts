import type { DType } from '../contract/shape.ts';

// IEEE 754-2019 binary16 and bfloat16 by bits: Node 22 has neither Float16Array nor Math.f16round.
const single = new Float32Array(1);
const singleBits = new Uint32Array(single.buffer);

/** The binary16 pattern nearest to `value` taken as f32; ties to even, overflow to infinity, NaN stays quiet NaN with its high payload. */
export function encodeHalf(value: number): number {
  single[0] = value;
  const bits = singleBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude > 0x7f80_0000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude < 0x3880_0000) return sign | roundToSubnormalHalf(magnitude);
  // 65520 is half-way from the largest half, 65504, to 65536, and ties go to the even, here to infinity.
  if (magnitude >= 0x477f_f000) return sign | 0x7c00;
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x3800_0000) >>> 13);
}

/** The number of units of 2⁻²⁴ in the f32 of pattern `magnitude` < 2⁻¹⁴, ties to even. 1024 is the least normal half's pattern. */
function roundToSubnormalHalf(magnitude: number): number {
  singleBits[0] = magnitude;
  const units = single[0]! * 0x100_0000;
  const floor = Math.floor(units);
  const rest = units - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** The value of a binary16 pattern, exactly. */
export function decodeHalf(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >>> 10) & 0x1f;
  const fraction = pattern & 0x3ff;
  if (exponent === 0) return (sign * fraction) / 0x100_0000;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  singleBits[0] = ((pattern & 0x8000) << 16) | ((exponent + 112) << 23) | (fraction << 13);
  return single[0]!;
}

/** The bfloat16 pattern nearest to `value` taken as f32; ties to even, overflow to infinity, NaN stays NaN. */
export function encodeBfloat(value: number): number {
  single[0] = value;
  const bits = singleBits[0]!;
  if ((bits & 0x7fff_ffff) > 0x7f80_0000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** The value of a bfloat16 pattern, exactly. */
export function decodeBfloat(pattern: number): number {
  singleBits[0] = pattern << 16;
  return single[0]!;
}

/** Rounds f32 values in place to the nearest of `dtype`, ties to even, and returns them. */
export function roundToDType(values: Float32Array, dtype: DType): Float32Array {
  if (dtype === 'f32') return values;
  const [encode, decode] = dtype === 'f16' ? [encodeHalf, decodeHalf] : [encodeBfloat, decodeBfloat];
  for (let index = 0; index < values.length; index += 1) values[index] = decode(encode(values[index]!));
  return values;
}
