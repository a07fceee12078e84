import type { NodeProto, TensorProto } from 'onnx-buf';
import { TensorProto_DataType as DataType } from 'onnx-buf';
import { integersOf } from '../graph/graph-index.ts';
import { fixedSize } from './size.ts';
import type { Size } from './size.ts';

export type Axes = ReadonlyArray<Size | undefined>;

/** What is known of a tensor at the sizes that are tried. */
export interface TensorSizes {
  /** Along each axis; undefined where not even their number is known. */
  readonly axes?: Axes | undefined;
  /** Its elements, where they are few and sizes are computed from them. */
  readonly values?: Axes | undefined;
  /** Whether its elements are fractions. */
  readonly isReal?: boolean;
  /** The model's input whose numbers it holds, and what was added to them. */
  readonly numbers?: { readonly input: string; readonly offset: number } | undefined;
}

export const unknownTensor: TensorSizes = {};

/** What a node requires of sizes, and they do not give at the ones that are tried. */
export class SizeConflict extends Error {
  readonly node: NodeProto;
  /** `left` must be what `right` is; without it, it must be 1 at least. */
  readonly left: Size;
  readonly right: Size | undefined;

  constructor(node: NodeProto, left: Size, right?: Size) {
    super(`${node.opType} ${node.name} has ${left.value} and wants ${right?.value ?? 'at least 1'}`);
    this.node = node;
    this.left = left;
    this.right = right;
  }
}

/** Elements up to which values are followed. */
const fewValues = 64;

export function constantSizes(tensor: TensorProto): TensorSizes {
  const dims = tensor.dims.map(Number);
  const count = dims.reduce((product, size) => product * size, 1);
  const isReal = tensor.dataType === DataType.FLOAT;
  const values = count > fewValues || dims.length > 1 ? undefined : isReal ? floatsOf(tensor) : (flagsOf(tensor) ?? integersOf(tensor));
  return { axes: dims.map(fixedSize), isReal, values: values?.length === count ? values.map(fixedSize) : undefined };
}

function flagsOf({ dataType, rawData, int32Data }: TensorProto): readonly number[] | undefined {
  if (dataType !== DataType.BOOL) return undefined;
  return rawData.length === 0 ? int32Data : [...rawData];
}

function floatsOf({ floatData, rawData }: TensorProto): readonly number[] {
  if (rawData.length === 0) return floatData;
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  return Array.from({ length: rawData.length >> 2 }, (_, at) => view.getFloat32(4 * at, true));
}

/** A tensor of a few values, as the arithmetic on shapes has them. */
export function valuesTensor(values: Axes | undefined, isScalar = false): TensorSizes {
  if (values === undefined) return { axes: isScalar ? [] : undefined };
  return { axes: isScalar ? [] : [fixedSize(values.length)], values: values.length > fewValues ? undefined : values };
}
