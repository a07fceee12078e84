import { toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { GraphProtoSchema, ModelProtoSchema, TensorProtoSchema } from 'onnx-buf';
import type { GraphProto, ModelProto, TensorProto } from 'onnx-buf';
import { copyMessage } from '../graph/copy-message.ts';

const largeBytes = 64 * 1024;
const fields = { graph: 7, initializer: 5, rawData: 9 } as const;

/** A model's protobuf in parts to be written one after another; large initializers are not copied. */
export function modelParts(model: ModelProto): readonly Uint8Array[] {
  const rest = toBinary(ModelProtoSchema, copyMessage(model, { graph: undefined }));
  if (model.graph === undefined) return [rest];
  const graph = graphParts(model.graph);
  return [rest, prefix(fields.graph, bytesOf(graph)), ...graph];
}

/** The bytes of all parts together. */
export function bytesOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** Large initializers alone, all else in one part. */
function graphParts(graph: GraphProto): Uint8Array[] {
  const isLarge = ({ rawData }: TensorProto): boolean => rawData.length >= largeBytes;
  const small = graph.initializer.filter((tensor) => !isLarge(tensor));
  const rest = toBinary(GraphProtoSchema, copyMessage(graph, { initializer: small }));
  return [rest, ...graph.initializer.filter(isLarge).flatMap(largeTensor)];
}

function largeTensor(tensor: TensorProto): Uint8Array[] {
  const rest = toBinary(TensorProtoSchema, copyMessage(tensor, { rawData: undefined }));
  const raw = prefix(fields.rawData, tensor.rawData.length);
  return [prefix(fields.initializer, rest.length + raw.length + tensor.rawData.length), rest, raw, tensor.rawData];
}

/** What stands before a field's bytes. */
function prefix(field: number, length: number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(length).finish();
}
