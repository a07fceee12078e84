import type { GraphProto, NodeProto } from 'onnx-buf';
import { copyMessage } from './copy-message.ts';

/** Gives the new name of a tensor or node. */
export type Renamed = (name: string) => string;

/** The node under another name, with other names of all tensors that it reads and gives, in its bodies too; what is absent stays so. */
export function renameNode(node: NodeProto, renamed: Renamed): NodeProto {
  const given: Renamed = (name) => (name === '' ? '' : renamed(name));
  return copyMessage(node, {
    name: given(node.name),
    input: node.input.map(given),
    output: node.output.map(given),
    attribute: node.attribute.map((each) =>
      each.g === undefined && each.graphs.length === 0
        ? each
        : copyMessage(each, {
            ...(each.g !== undefined && { g: renameGraph(each.g, renamed) }),
            graphs: each.graphs.map((graph) => renameGraph(graph, renamed)),
          }),
    ),
  });
}

/** The graph with other names of all tensors and nodes. */
export function renameGraph(graph: GraphProto, renamed: Renamed): GraphProto {
  const named = <Entry extends { name: string }>(entries: readonly Entry[]): Entry[] =>
    entries.map((entry) => copyMessage(entry, { name: renamed(entry.name) } as Partial<Entry>));
  return copyMessage(graph, {
    node: graph.node.map((node) => renameNode(node, renamed)),
    initializer: named(graph.initializer),
    input: named(graph.input),
    output: named(graph.output),
    valueInfo: named(graph.valueInfo),
  });
}
