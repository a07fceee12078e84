import { create } from '@bufbuild/protobuf';
import { GraphProtoSchema, ModelProtoSchema, ValueInfoProtoSchema } from 'onnx-buf';
import type { ModelProto, NodeProto } from 'onnx-buf';

/** A copy of the model that has `nodes` appended and gives `tensors` as outputs too. */
export function withOutputs(proto: ModelProto, tensors: readonly string[], nodes: readonly NodeProto[] = []): ModelProto {
  const graph = proto.graph!;
  const given = new Set([...graph.output, ...graph.input].map(({ name }) => name));
  const more = [...new Set(tensors)].filter((name) => !given.has(name)).map((name) => create(ValueInfoProtoSchema, { name }));
  const opened = create(GraphProtoSchema, { ...graph, node: [...graph.node, ...nodes], output: [...graph.output, ...more] });
  return create(ModelProtoSchema, { ...proto, graph: opened });
}
