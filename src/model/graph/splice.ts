import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import type { GraphProto, NodeProto } from 'onnx-buf';
import { constantNode } from './graph-builder.ts';
import { subgraphsOf } from './graph-index.ts';
import { renameNode } from './rename.ts';

/**
 * The nodes of a model, to be put into another graph: every name gets `prefix`, but inputs and outputs get the names in
 * `bound`; initializers become constants, so that the graph's own need not change.
 */
export function spliceNodes(model: Uint8Array, prefix: string, bound: Readonly<Record<string, string>>): NodeProto[] {
  const graph = fromBinary(ModelProtoSchema, model).graph!;
  const renamed = (name: string) => bound[name] ?? `${prefix}${name}`;
  return [...graph.initializer.map(constantNode), ...graph.node].map((node) => renameNode(node, renamed));
}

/** Every name that a graph uses: tensors and nodes, its subgraphs' too. */
export function namesIn(graph: GraphProto): Set<string> {
  const names = new Set([...graph.input, ...graph.output, ...graph.initializer].map(({ name }) => name));
  for (const node of graph.node) {
    for (const name of [node.name, ...node.input, ...node.output]) names.add(name);
    for (const inner of subgraphsOf(node)) for (const name of namesIn(inner)) names.add(name);
  }
  return names;
}
