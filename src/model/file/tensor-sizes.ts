import { TensorProto_DataType as DataType } from 'onnx-buf';

/** Bits of one element, of every type but strings. */
export const elementBits: ReadonlyMap<number, number> = new Map<number, number>([
  [DataType.FLOAT, 32],
  [DataType.UINT8, 8],
  [DataType.INT8, 8],
  [DataType.UINT16, 16],
  [DataType.INT16, 16],
  [DataType.INT32, 32],
  [DataType.INT64, 64],
  [DataType.BOOL, 8],
  [DataType.FLOAT16, 16],
  [DataType.DOUBLE, 64],
  [DataType.UINT32, 32],
  [DataType.UINT64, 64],
  [DataType.COMPLEX64, 64],
  [DataType.COMPLEX128, 128],
  [DataType.BFLOAT16, 16],
  [DataType.FLOAT8E4M3FN, 8],
  [DataType.FLOAT8E4M3FNUZ, 8],
  [DataType.FLOAT8E5M2, 8],
  [DataType.FLOAT8E5M2FNUZ, 8],
  [DataType.UINT4, 4],
  [DataType.INT4, 4],
  [DataType.FLOAT4E2M1, 4],
  [DataType.FLOAT8E8M0, 8],
  [DataType.UINT2, 2],
  [DataType.INT2, 2],
]);

/** Bytes of `elements` elements, small types packed; undefined for strings and unknown types. */
export function byteLengthOf(dataType: number, elements: number): number | undefined {
  const bits = elementBits.get(dataType);
  return bits === undefined ? undefined : bits >= 8 ? elements * (bits / 8) : Math.ceil((elements * bits) / 8);
}

/** The typed list that holds a tensor's values where its bytes are not given raw, and how many of them there must be. */
export function typedListOf(
  dataType: number,
  elements: number,
): { readonly field: 'floatData' | 'doubleData' | 'int32Data' | 'int64Data' | 'uint64Data' | 'stringData'; readonly length: number } {
  if (dataType === DataType.FLOAT) return { field: 'floatData', length: elements };
  if (dataType === DataType.COMPLEX64) return { field: 'floatData', length: 2 * elements };
  if (dataType === DataType.DOUBLE) return { field: 'doubleData', length: elements };
  if (dataType === DataType.COMPLEX128) return { field: 'doubleData', length: 2 * elements };
  if (dataType === DataType.INT64) return { field: 'int64Data', length: elements };
  if (dataType === DataType.UINT64 || dataType === DataType.UINT32) return { field: 'uint64Data', length: elements };
  if (dataType === DataType.STRING) return { field: 'stringData', length: elements };
  const bits = elementBits.get(dataType) ?? 8;
  return { field: 'int32Data', length: bits < 8 ? Math.ceil((elements * bits) / 8) : elements };
}
