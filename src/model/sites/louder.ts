import { create } from '@bufbuild/protobuf';
import { AttributeProto_AttributeType as AttributeType, AttributeProtoSchema } from 'onnx-buf';
import type { NodeProto } from 'onnx-buf';
import type { GraphBuilder, Value } from '../graph/graph-builder.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import { neededNodes } from '../graph/needed-nodes.ts';
import type { Candidate } from './candidate.ts';
import { numbersOf } from './mask-sources.ts';
import { softcapOf, tanhPlace } from './soft-cap.ts';
import { appendView, ownWidth, viewedSizes } from './views.ts';
import type { View } from './views.ts';
import type { Seen } from './watch.ts';

/**
 * A site's own attention once more, beside the model's, of logits so large that a soft cap bends them: those of drawn inputs are small, and pass
 * a cap nearly unchanged.
 */
export interface Louder {
  /** `[batch, heads, queries, headDim]`. */
  readonly output: Value;
  /** By how much its logits are larger before they are capped: a tensor with one number. */
  readonly factor: Value;
}

type QueryAndKey = Readonly<Record<'query' | 'key', { readonly tensor: string }>>;

/** Whether anything in the graph says that logits may be capped. */
export function mayCap({ path, anchor }: Candidate): boolean {
  return path === undefined ? softcapOf(anchor) !== undefined : tanhPlace(path.before) >= 0;
}

/**
 * Appends it where something in the graph says that logits are capped, however that is understood. Its logits are twice the cap, on average.
 * @param read tensors that the first run, `seen`, shows
 */
export function appendLouder(
  graph: GraphBuilder,
  index: GraphIndex,
  { candidate, views, read, seen }: { candidate: Candidate; views: Record<'query' | 'output', View>; read: QueryAndKey; seen: Seen },
): Louder | undefined {
  if (!mayCap(candidate)) return undefined;
  const { path, anchor } = candidate;
  const view = (tensor: Value) => appendView(graph, { ...views.output, tensor });
  if (path === undefined) {
    const headDim = ownWidth(views.query, viewedSizes(views.query, seen.dims(views.query.tensor))[3]);
    const scale = candidate.declared!.scale ?? 1 / Math.sqrt(headDim);
    const [query, key] = [read.query, read.key].map(({ tensor }) => rootMeanSquare(numbersOf(seen.tensor(tensor)!)));
    const factor = (2 * softcapOf(anchor)!) / (Math.abs(scale) * Math.sqrt(headDim) * query! * key!);
    const [output = ''] = graph.copy(withScale(anchor, factor * scale), anchor.input);
    return { output: view(output), factor: graph.float(factor) };
  }
  const [capped = ''] = path.before[tanhPlace(path.before)]!.node.input;
  const inverse = graph.op('Reciprocal', [graph.op('ReduceMean', [graph.op('Abs', [capped])], { keepdims: 0 })]);
  const factor = graph.op('Add', [inverse, inverse]);
  const instead = graph.op('Mul', [capped, factor]);
  return { output: view(copyBetween(graph, index, { from: capped, instead }, views.output.tensor)), factor };
}

/** Copies of all nodes between a tensor and one that is computed from it, with another in the place of the first. */
function copyBetween(graph: GraphBuilder, index: GraphIndex, { from, instead }: { from: string; instead: Value }, to: string): Value {
  const copies = new Map([[from, instead]]);
  const needed = neededNodes(index.graph.node, new Set([to]));
  for (const node of index.graph.node) {
    if (!needed.has(node) || !node.input.some((name) => copies.has(name))) continue;
    const outputs = graph.copy(
      node,
      node.input.map((name) => copies.get(name) ?? name),
    );
    node.output.forEach((name, at) => copies.set(name, outputs[at]!));
  }
  return copies.get(to)!;
}

function rootMeanSquare(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
}

function withScale(node: NodeProto, scale: number): NodeProto {
  const attribute = create(AttributeProtoSchema, { name: 'scale', type: AttributeType.FLOAT, f: scale });
  return { ...node, attribute: [...node.attribute.filter(({ name }) => name !== 'scale'), attribute] };
}
