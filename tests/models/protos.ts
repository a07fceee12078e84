import { create } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import type { AttributeProto, TensorProto, ValueInfoProto } from 'onnx-buf';
import { encodeHalf } from '../../src/inputs/half-precision.ts';

export const elementTypes = {
  f32: DataType.FLOAT,
  f16: DataType.FLOAT16,
  i64: DataType.INT64,
  i32: DataType.INT32,
  i8: DataType.INT8,
  u8: DataType.UINT8,
  bool: DataType.BOOL,
} as const;
export type ElementType = keyof typeof elementTypes;

/** A size, or the name of a dynamic one. */
export type Dimension = number | string;
export type Attribute = number | bigint | string | readonly number[] | { readonly float: number } | { readonly tensor: TensorProto };

/** A tensor with its values as raw bytes, little-endian. */
export function tensorProto(name: string, type: ElementType, dims: readonly number[], values: ArrayLike<number | bigint>): TensorProto {
  const data = encoded(type, values);
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return create(TensorProtoSchema, { name, dataType: elementTypes[type], dims: dims.map(BigInt), rawData });
}

function encoded(type: ElementType, values: ArrayLike<number | bigint>): ArrayBufferView & { buffer: ArrayBuffer } {
  if (type === 'f32' && values instanceof Float32Array) return values.slice();
  if (type === 'bool' && values instanceof Uint8Array) return values.slice();
  if (type === 'i64') return BigInt64Array.from(Array.from(values, (value) => BigInt(value)));
  const numbers = Array.from(values, Number);
  if (type === 'f32') return Float32Array.from(numbers);
  if (type === 'f16') return Uint16Array.from(numbers, encodeHalf);
  if (type === 'i32') return Int32Array.from(numbers);
  return type === 'i8' ? Int8Array.from(numbers) : Uint8Array.from(numbers);
}

export function valueInfo(name: string, type: ElementType, shape: readonly Dimension[]): ValueInfoProto {
  const dim = shape.map((size) =>
    typeof size === 'number'
      ? { value: { case: 'dimValue' as const, value: BigInt(size) } }
      : { value: { case: 'dimParam' as const, value: size } },
  );
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: 'tensorType', value: { elemType: elementTypes[type], shape: { dim } } } },
  });
}

/** Numbers are ints, lists are lists of ints; a float is wrapped. */
export function attributeProto(name: string, value: Attribute): AttributeProto {
  if (typeof value === 'number' || typeof value === 'bigint')
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  if (typeof value === 'string')
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  if ('tensor' in value) return create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t: value.tensor });
  if ('float' in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
}
