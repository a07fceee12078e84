import type { NodeProto } from 'onnx-buf';
import { readsOf } from './graph-index.ts';

/** Of nodes in the graph's order, those that the tensors in `outputs` are computed from. */
export function neededNodes(nodes: readonly NodeProto[], outputs: ReadonlySet<string>): Set<NodeProto> {
  const wanted = new Set(outputs);
  const found = new Set<NodeProto>();
  for (const node of nodes.toReversed()) {
    if (!node.output.some((name) => wanted.has(name))) continue;
    found.add(node);
    for (const name of readsOf(node)) wanted.add(name);
  }
  return found;
}
