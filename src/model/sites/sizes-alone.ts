import type { NodeProto } from 'onnx-buf';
import type { FollowedSizes } from '../fit/follow-sizes.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import { attributeOf, integerOf } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { ThinRows } from './thin-rows.ts';

/**
 * Nodes in the place of those that read the sizes of a matrix of pairs, a mask or logits, which is then not computed whole for them: one row and
 * one column tell its sizes.
 * @param dims sizes in some run, as far as they are known
 * @param longer those in a longer one
 */
export function sizesAlone(
  index: GraphIndex,
  { opset, dims, longer }: { opset: number } & Record<'dims' | 'longer', FollowedSizes['dims']>,
): Map<NodeProto, NodeProto[]> {
  const grows = (tensor: string, axis: number) => (dims(tensor)?.at(axis) ?? Infinity) < (longer(tensor)?.at(axis) ?? 0);
  const instead = new Map<NodeProto, NodeProto[]>();
  for (const [place, node] of index.graph.node.entries()) {
    const [tensor = ''] = node.input;
    if (node.opType !== 'Shape' || !grows(tensor, -2) || !grows(tensor, -1)) continue;
    const graph = new GraphBuilder({ opset, prefix: `attnswap/sizes${place}/` });
    const all = new ThinRows({ graph, index, dims }).sizesOf(tensor);
    const bounds = [integerOf(node, 'start', 0), Number(attributeOf(node, 'end')?.i ?? 2 ** 31)];
    const sizes = graph.op('Slice', [all, ...bounds.map((bound) => graph.int([bound]))]);
    instead.set(node, [...graph.fragment(), ...graph.named('Identity', [sizes], node.output[0]!)]);
  }
  return instead;
}
