import type { Tensor, TensorData } from '../contract/tensor.ts';
import { checkTruths, invalidData } from './check-tensor.ts';
import { elementTypes, tensorOfBytes } from './element-types.ts';
import { parseNpyHeader } from './npy-header.ts';

/** Reads the bytes of an untrusted .npy file; column-major values are brought into row-major order. @throws INVALID_DATA */
export function parseNpy(bytes: Uint8Array<ArrayBuffer>, source: string): Tensor {
  const { type, dims, elements, columnMajor, dataStart } = parseNpyHeader(bytes, source);
  const expected = elements * Number(elementTypes[type].npy.slice(1));
  const got = bytes.byteLength - dataStart;
  if (got !== expected) throw invalidData(source, `holds ${got} bytes of values, expected ${expected} for ${type} [${dims.join(', ')}]`);
  const tensor = tensorOfBytes(type, dims, bytes.slice(dataStart));
  if (type === 'bool') checkTruths(tensor.data as Uint8Array, source);
  return columnMajor ? { ...tensor, data: rowMajor(tensor.data, dims) } : tensor;
}

/** Walks the target in order while an odometer of indices finds each value's place in the source. */
function rowMajor(source: TensorData, dims: readonly number[]): TensorData {
  const strides = dims.map((_, axis) => dims.slice(0, axis).reduce((product, size) => product * size, 1));
  const result = source.slice();
  // The element's own type matters not: values are only moved.
  const [target, values] = [result as Float64Array, source as Float64Array];
  const index = dims.map(() => 0);
  let from = 0;
  for (let to = 0; to < target.length; to += 1) {
    target[to] = values[from]!;
    for (let axis = dims.length - 1; axis >= 0; axis -= 1) {
      index[axis]! += 1;
      from += strides[axis]!;
      if (index[axis]! < dims[axis]!) break;
      index[axis] = 0;
      from -= strides[axis]! * dims[axis]!;
    }
  }
  return result;
}
