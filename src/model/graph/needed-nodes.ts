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

export interface Replaced {
  readonly outputs: ReadonlySet<string>;
  /** What the outputs need now. */
  readonly needed: ReadonlySet<NodeProto>;
  /** What new nodes give. */
  readonly given: ReadonlySet<string>;
}

/**
 * Of a graph's nodes, in its order, those that stay once new nodes give some of their outputs: what is needed, and what nothing needed
 * before either, as long as all that it reads is still given.
 */
export function stayingNodes(old: readonly NodeProto[], { outputs, needed, given }: Replaced): Set<NodeProto> {
  const neededBefore = neededNodes(old, outputs);
  const staying = new Set<NodeProto>();
  const gone = new Set<string>();
  for (const node of old) {
    if (needed.has(node) || (!neededBefore.has(node) && ![...readsOf(node)].some((name) => gone.has(name)))) staying.add(node);
    else for (const name of node.output) if (!given.has(name)) gone.add(name);
  }
  return staying;
}
