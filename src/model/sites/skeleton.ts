import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema } from 'onnx-buf';
import type { NodeProto } from 'onnx-buf';
import { GraphBuilder } from '../graph/graph-builder.ts';
import type { FollowedSizes } from '../fit/follow-sizes.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { integerOf } from '../graph/graph-index.ts';
import type { Probed } from './probe-candidates.ts';
import { appendInverse, appendView } from './views.ts';

/**
 * Nodes that give tensors of the same sizes as a model's own in next to no time, and other values: products with weights repeat one
 * channel, convolutions have one channel, attention gives back its queries. Only for nodes of which nothing but sizes is wanted.
 * @param keep nodes whose values are wanted
 * @param dims sizes in some run, as far as they are known
 */
export function skeletonOf(
  index: GraphIndex,
  attentions: readonly Pick<Probed, 'views' | 'projected'>[],
  { keep, opset, dims }: { keep: ReadonlySet<NodeProto>; opset: number; dims: FollowedSizes['dims'] },
): Map<NodeProto, NodeProto[]> {
  const instead = new Map<NodeProto, NodeProto[]>();
  for (const [place, node] of index.graph.node.entries()) {
    if (keep.has(node)) continue;
    const graph = new GraphBuilder({ opset, prefix: `attnswap/skeleton${place}/` });
    const weights = node.input[1] ?? '';
    const sizes = index.isConstant(weights) ? dims(weights) : undefined;
    const known = sizes?.includes(undefined) === false ? (sizes as readonly number[]) : undefined;
    const result = repeatedChannel(node, known, graph);
    if (result !== undefined) instead.set(node, [...graph.fragment(), ...graph.named('Identity', [result], node.output[0]!)]);
  }
  for (const [place, { views, projected }] of attentions.entries()) {
    const node = views && index.producer(views.output.tensor);
    if (node === undefined || keep.has(node) || node.output.slice(1).some((name) => index.consumers(name).length > 0)) continue;
    const { query, output } = views!;
    const graph = new GraphBuilder({ opset, prefix: `attnswap/skeleton.site${place}/` });
    const result = appendInverse(graph, appendView(graph, query), output);
    instead.set(node, [...projected, ...graph.fragment(), ...graph.named('Identity', [result], output.tensor)]);
  }
  return instead;
}

/** Appends what has the sizes of a node's output, where the node multiplies by constant weights of some sizes. */
function repeatedChannel(node: NodeProto, sizes: readonly number[] | undefined, graph: GraphBuilder): string | undefined {
  const [x = '', weights = ''] = node.input;
  // A runtime spreads one number over a row much faster than it picks it again and again.
  const repeat = (tensor: string, count: number) =>
    graph.op('Expand', [graph.op('Slice', [tensor, graph.int([0]), graph.int([1]), graph.int([-1])]), graph.int([count])]);
  if (node.opType === 'MatMulNBits') return repeat(x, integerOf(node, 'N', 1));
  if (sizes === undefined) return undefined;
  if (node.opType === 'MatMul' && sizes.length === 2) return repeat(x, sizes[1]!);
  if (node.opType === 'Gemm' && integerOf(node, 'transA', 0) === 0) return repeat(x, sizes[integerOf(node, 'transB', 0) === 1 ? 0 : 1]!);
  if (node.opType !== 'Conv' || sizes.length < 3) return undefined;
  const first = (tensor: string, axis: number) => graph.op('Gather', [tensor, graph.int([0])], { axis });
  const output = `${node.output[0]}/attnswap`;
  const attribute = node.attribute.filter(({ name }) => name !== 'group');
  const single = create(NodeProtoSchema, {
    opType: 'Conv',
    name: output,
    input: [first(x, 1), first(first(weights, 0), 1)],
    output: [output],
    attribute,
  });
  graph.append([single]);
  return graph.op('Expand', [output, graph.int([sizes[0]!, ...sizes.slice(2).map(() => 1)])]);
}
