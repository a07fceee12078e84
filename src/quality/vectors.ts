import { AttnswapError } from '../contract/errors.ts';
import type { Tensor, TensorData, TensorType } from '../contract/tensor.ts';
import { decodeHalf } from '../inputs/half-precision.ts';

/** A tensor taken vector by vector, each copied out as float64. */
export interface Vectors {
  readonly count: number;
  /** Elements of one vector. */
  readonly size: number;
  /** Copies vector `index` into the first `size` places of `into`. */
  read(index: number, into: Float64Array): void;
}

const dataOf: Readonly<Record<TensorType, new (size: number) => TensorData>> = {
  float32: Float32Array,
  float16: Uint16Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

export function isFloat(type: TensorType): boolean {
  return type === 'float32' || type === 'float16' || type === 'float64';
}

/**
 * The vectors along the last axis that is longer than 1: `[2, 8, 64]` is 16 vectors of 64, `[8, 1]` one of 8. Whole numbers of 64 bits are
 * rounded to float64 beyond 2⁵³.
 * @throws INVALID_DATA where the data are not what type and dims say
 */
export function vectorsOf(tensor: Tensor, name: string): Vectors {
  const { type, dims, data } = tensor;
  const elements = dims.reduce((product, size) => product * size, 1);
  if (!(data instanceof dataOf[type]) || data.length !== elements || !dims.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    const got = `${data.constructor.name} of ${data.length}`;
    throw new AttnswapError(
      'INVALID_DATA',
      `tensor ${name}: data are a ${got}, expected ${dataOf[type].name} of ${elements} for ${type} [${dims.join(', ')}]`,
      { hint: 'float16 comes as bit patterns in a Uint16Array, bool as bytes, int64 as a BigInt64Array' },
    );
  }
  const size = dims.findLast((length) => length !== 1) ?? 1;
  return { count: size === 0 ? 0 : elements / size, size, read: reader(tensor, size) };
}

function reader({ type, data }: Tensor, size: number): Vectors['read'] {
  const patterns = type === 'float16';
  return (index, into) => {
    const start = index * size;
    if (patterns) for (let at = 0; at < size; at += 1) into[at] = decodeHalf(Number(data[start + at]!));
    else if (data instanceof BigInt64Array) for (let at = 0; at < size; at += 1) into[at] = Number(data[start + at]!);
    else into.set(data.subarray(start, start + size));
  };
}
