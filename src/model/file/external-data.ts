import { create } from '@bufbuild/protobuf';
import { StringStringEntryProtoSchema, TensorProto_DataLocation as DataLocation } from 'onnx-buf';
import type { ModelProto, TensorProto } from 'onnx-buf';
import { copyMessage } from '../graph/copy-message.ts';

/** Smaller initializers stay in the protobuf. */
const minimumBytes = 1024;
/** Tensors begin at multiples of a page, so that a runtime can map them. */
const pageBytes = 4096;

/**
 * Moves the raw data of initializers of 1 KiB and more out of a model.
 * @param location the file that will hold them, relative to the model's folder
 * @returns the model, and the file's content in parts
 */
export function moveToExternal(model: ModelProto, location: string): { readonly proto: ModelProto; readonly parts: readonly Uint8Array[] } {
  if (model.graph === undefined) return { proto: model, parts: [] };
  const parts: Uint8Array[] = [];
  let at = 0;
  const initializer = model.graph.initializer.map((tensor) => {
    if (tensor.rawData.length < minimumBytes) return tensor;
    const padding = (pageBytes - (at % pageBytes)) % pageBytes;
    const moved = externalTensor(tensor, location, at + padding);
    parts.push(new Uint8Array(padding), tensor.rawData);
    at += padding + tensor.rawData.length;
    return moved;
  });
  return { proto: copyMessage(model, { graph: copyMessage(model.graph, { initializer }) }), parts };
}

function externalTensor(tensor: TensorProto, location: string, offset: number): TensorProto {
  const entries = { location, offset: String(offset), length: String(tensor.rawData.length) };
  return copyMessage(tensor, {
    rawData: undefined,
    dataLocation: DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value })),
  });
}
