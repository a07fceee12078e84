import type { GraphProto, NodeProto } from 'onnx-buf';
import { readsOf, subgraphsOf } from '../graph/graph-index.ts';

/**
 * Puts the nodes of a graph, and of the graphs within it, into an order in which each follows what it reads. Files should hold such an order, but
 * runtimes do without it, and converters leave it to them. Nodes in order stay where they are; so do all of a graph with a cycle.
 */
export function sortNodes(graph: Pick<GraphProto, 'node'>): void {
  for (const body of graph.node.flatMap(subgraphsOf)) sortNodes(body);
  const needs = needsOf(graph.node);
  if (needs.every((list, index) => list.every((other) => other < index))) return;
  const order = orderOf(needs);
  if (order.length === graph.node.length) graph.node = order.map((index) => graph.node[index]!);
}

/** A node that depends on its own output; undefined where an order exists. */
export function nodeOnCycle(nodes: readonly NodeProto[]): NodeProto | undefined {
  const needs = needsOf(nodes);
  const placed = new Set(orderOf(needs));
  let at = needs.findIndex((_, index) => !placed.has(index));
  // Each node that no order reaches needs another such node: going back must come round.
  for (const seen = new Set<number>(); at >= 0 && !seen.has(at); at = needs[at]!.find((index) => !placed.has(index)) ?? -1) seen.add(at);
  return at < 0 ? undefined : nodes[at];
}

/** Places of the nodes that each node reads outputs of. */
function needsOf(nodes: readonly NodeProto[]): number[][] {
  const producer = new Map<string, number>();
  for (const [index, { output }] of nodes.entries()) for (const name of output) if (name !== '') producer.set(name, index);
  return nodes.map((node) => [...readsOf(node)].flatMap((name) => producer.get(name) ?? []));
}

/** A topological order, without the nodes that none reaches (Kahn's algorithm). */
function orderOf(needs: readonly (readonly number[])[]): number[] {
  const waiting = needs.map((list) => list.length);
  const wanted: number[][] = needs.map(() => []);
  for (const [index, list] of needs.entries()) for (const other of list) wanted[other]!.push(index);
  const order = waiting.flatMap((count, index) => (count === 0 ? [index] : []));
  for (const index of order) for (const other of wanted[index]!) if (--waiting[other]! === 0) order.push(other);
  return order;
}
