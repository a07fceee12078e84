import type { Tensor, TensorData, TensorType } from '../contract/tensor.ts';
import type { ElementName } from '../inputs/safetensors-header.ts';

interface ElementType {
  readonly array: new (buffer: ArrayBuffer) => TensorData;
  /** As a safetensors header names it. */
  readonly safetensors: ElementName;
  /** As a .npy header names it, without the byte order. */
  readonly npy: string;
}

/** How values of each type lie in memory and in files; f16 as bit patterns, bool as bytes. */
export const elementTypes: Readonly<Record<TensorType, ElementType>> = {
  float32: { array: Float32Array, safetensors: 'F32', npy: 'f4' },
  float16: { array: Uint16Array, safetensors: 'F16', npy: 'f2' },
  float64: { array: Float64Array, safetensors: 'F64', npy: 'f8' },
  int64: { array: BigInt64Array, safetensors: 'I64', npy: 'i8' },
  int32: { array: Int32Array, safetensors: 'I32', npy: 'i4' },
  int8: { array: Int8Array, safetensors: 'I8', npy: 'i1' },
  uint8: { array: Uint8Array, safetensors: 'U8', npy: 'u1' },
  bool: { array: Uint8Array, safetensors: 'BOOL', npy: 'b1' },
};

/** Sees little-endian, row-major bytes as a tensor; they are copied only where they do not own their buffer. */
export function tensorOfBytes(type: TensorType, dims: readonly number[], bytes: Uint8Array<ArrayBuffer>): Tensor {
  const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
  return { type, dims, data: new elementTypes[type].array(own.buffer) };
}
