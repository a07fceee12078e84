import { TensorProto_DataLocation as DataLocation, TensorProto_DataType as DataType } from 'onnx-buf';
import type { TensorProto } from 'onnx-buf';
import { invalidModel } from './invalid-model.ts';
import { byteLengthOf, typedListOf } from './tensor-sizes.ts';

/** A tensor and the words that say where in the model it stands. */
export interface PlacedTensor {
  readonly tensor: TensorProto;
  readonly place: string;
}

const typedFields = ['floatData', 'doubleData', 'int32Data', 'int64Data', 'uint64Data', 'stringData'] as const;

/** Elements of a tensor. @throws INVALID_MODEL for negative sizes and products beyond 2⁵³ */
export function elementsOf({ tensor, place }: PlacedTensor, path: string): number {
  let elements = 1;
  for (const size of tensor.dims) {
    if (size < 0n) throw invalidModel(path, `${place}: a size is ${size}, expected 0 or more`);
    elements *= Number(size);
  }
  if (tensor.dims.includes(0n)) return 0;
  if (elements > Number.MAX_SAFE_INTEGER) throw invalidModel(path, `${place}: sizes ${tensor.dims.slice(0, 8).join(' × ')} overflow`);
  return elements;
}

/** Bytes that a tensor's sizes and type ask for. @throws INVALID_MODEL for types without bytes */
export function expectedBytes(placed: PlacedTensor, path: string): number {
  const { tensor, place } = placed;
  const bytes = byteLengthOf(tensor.dataType, elementsOf(placed, path));
  if (bytes !== undefined && bytes <= Number.MAX_SAFE_INTEGER) return bytes;
  throw invalidModel(path, `${place}: element type ${typeName(tensor.dataType)} has no raw form, or too many elements`);
}

/** A tensor's data agree with its sizes and type, wherever in the protobuf they lie. @throws INVALID_MODEL */
export function checkTensor(placed: PlacedTensor, path: string): void {
  const { tensor, place } = placed;
  if (tensor.dataType !== DataType.STRING && byteLengthOf(tensor.dataType, 0) === undefined)
    throw invalidModel(path, `${place}: element type ${tensor.dataType}, expected one of ONNX's (1 to 26)`);
  if (tensor.segment !== undefined) throw invalidModel(path, `${place}: is a tensor segment, expected a complete tensor`);
  const elements = elementsOf(placed, path);
  const lists = typedFields.filter((field) => tensor[field].length > 0);
  const raw = Object.hasOwn(tensor, 'rawData') && tensor.rawData.length > 0;
  if (isExternal(tensor)) {
    if (raw || lists.length > 0) throw invalidModel(path, `${place}: has inline data, expected external data only`);
    return;
  }
  if (raw) return checkRaw(placed, lists, path);
  checkLists(placed, lists, { elements, path });
}

function checkRaw(placed: PlacedTensor, lists: readonly string[], path: string): void {
  const { tensor, place } = placed;
  if (lists.length > 0) throw invalidModel(path, `${place}: has raw data and ${lists.join(', ')}, expected only one of them`);
  const expected = expectedBytes(placed, path);
  if (tensor.rawData.length !== expected)
    throw invalidModel(
      path,
      `${place}: ${tensor.rawData.length} bytes of raw data, expected ${expected} for ${typeName(tensor.dataType)} [${tensor.dims.slice(0, 16).join(', ')}]`,
    );
}

function checkLists(
  { tensor, place }: PlacedTensor,
  lists: readonly (typeof typedFields)[number][],
  { elements, path }: { readonly elements: number; readonly path: string },
): void {
  const { field, length } = typedListOf(tensor.dataType, elements);
  const wrong = lists.find((list) => list !== field);
  if (wrong !== undefined)
    throw invalidModel(path, `${place}: ${typeName(tensor.dataType)} values are stored in ${wrong}, expected ${field}`);
  if (tensor[field].length === length) return;
  throw invalidModel(
    path,
    `${place}: ${tensor[field].length} values, expected ${length} for ${typeName(tensor.dataType)} [${tensor.dims.slice(0, 16).join(', ')}]`,
  );
}

export function isExternal(tensor: TensorProto): boolean {
  return tensor.dataLocation === DataLocation.EXTERNAL;
}

function typeName(dataType: number): string {
  return DataType[dataType] ?? String(dataType);
}
