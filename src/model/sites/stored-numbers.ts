import type { TensorProto } from 'onnx-buf';
import { TensorProto_DataType as DataType } from 'onnx-buf';
import { decodeHalf } from '../../inputs/half-precision.ts';
import { isExternal } from '../file/check-tensor.ts';
import { integersOf } from '../graph/graph-index.ts';

/** Whether a number lies in another file: runs tell it. */
export function isStoredApart(tensor: TensorProto): boolean {
  return elementsOf(tensor) <= 4 && isExternal(tensor);
}

export function elementsOf({ dims }: TensorProto): number {
  return dims.reduce((product, size) => product * Number(size), 1);
}

/** Whole numbers of a constant with few elements. */
export function wholeNumbers(tensor: TensorProto | undefined): number[] {
  return fewNumbers(tensor).filter(
    (value) => Number.isSafeInteger(value) && (tensor!.dataType !== DataType.FLOAT || Math.abs(value) < 2 ** 24),
  );
}

export function storedIntegers(tensor: TensorProto): readonly number[] {
  return elementsOf(tensor) > 4 ? [] : (integersOf(tensor) ?? []);
}

export function fewNumbers(tensor: TensorProto | undefined): number[] {
  if (tensor === undefined || elementsOf(tensor) > 4) return [];
  if (tensor.dataType === DataType.FLOAT16) return Array.from(new Uint16Array(tensor.rawData.slice().buffer), decodeHalf);
  if (tensor.dataType !== DataType.FLOAT) return [...(integersOf(tensor) ?? [])];
  const { rawData, floatData } = tensor;
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  return rawData.length === 0 ? floatData : Array.from({ length: rawData.length >> 2 }, (_, at) => view.getFloat32(4 * at, true));
}

/** All numbers of a constant; undefined for types that no mask has, and for what lies in another file. */
export function numbersIn(tensor: TensorProto): Iterable<number> | undefined {
  const { dataType, rawData, floatData, int32Data } = tensor;
  if (isExternal(tensor)) return undefined;
  switch (dataType) {
    case DataType.BOOL:
    case DataType.UINT8:
      return rawData.length === 0 ? int32Data : rawData;
    case DataType.FLOAT:
      return rawData.length === 0 ? floatData : new Float32Array(rawData.slice().buffer);
    case DataType.FLOAT16:
      return Array.from(new Uint16Array(rawData.slice().buffer), decodeHalf);
    default:
      return integersOf(tensor);
  }
}
