import type { NodeProto } from 'onnx-buf';
import type { FollowedSizes } from '../fit/follow-sizes.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import type { Candidate } from './candidate.ts';
import { mayCap } from './louder.ts';
import { ThinRows } from './thin-rows.ts';

/** Logits of a site from which on a run computes a part of its rows alone: 32 MB of them. */
const manyLogits = 2 ** 23;
/** Rows of each head that are computed at least. */
const fewRows = 64;

/** Attention of which a run computes every n-th row alone: what is judged are a few rows of each head in any case. */
export interface ThinAttention {
  /** Between rows, counted back from the last. */
  readonly step: number;
  /** The product of weights and values. */
  readonly node: NodeProto;
  /** Give something of the same sizes in its place, from queries and values, to what comes behind. */
  readonly standIn: readonly NodeProto[];
  /** Appends its output in these rows. */
  append(graph: GraphBuilder): string;
}

/**
 * The attention that takes too much time and memory to be computed whole, by candidate: written as products and a softmax, with lengths that
 * the model fixes.
 * @param dims of a model's tensors in its smallest run, as far as they are known
 */
export function largeAttention(
  index: GraphIndex,
  candidates: readonly Candidate[],
  { opset, dims }: { opset: number; dims: FollowedSizes['dims'] },
): Map<Candidate, ThinAttention> {
  return new Map(
    candidates.flatMap((candidate, place) => {
      const { path, query, value, output } = candidate;
      const node = index.producer(output.tensor);
      const isPlain = [query, value, output].every(({ perm, swapped }) => perm === undefined && swapped === undefined);
      const [rows, columns, values] = [query.tensor, path?.product.input[1] ?? '', value.tensor].map((name) => known(dims(name)));
      if (path?.product.opType !== 'MatMul' || node?.opType !== 'MatMul' || !isPlain || mayCap(candidate)) return [];
      if (rows === undefined || columns === undefined || values === undefined || !areBeside(rows, values)) return [];
      const queries = rows.at(-2)!;
      if (rows.slice(0, -1).reduce((product, size) => product * size, columns.at(-1)!) < manyLogits) return [];
      const graph = new GraphBuilder({ opset, prefix: `attnswap/stand-in${place}/` });
      const first = (tensor: string, axis: number) => graph.op('Slice', [tensor, graph.int([0]), graph.int([1]), graph.int([axis])]);
      const sum = graph.op('Add', [first(query.tensor, -1), first(value.tensor, -2)]);
      const step = Math.floor(queries / fewRows) | 1;
      const append = (own: GraphBuilder) => new ThinRows({ graph: own, index, dims, step: own.int([-step]) }).of(output.tensor);
      return [[candidate, { step, node, standIn: [...graph.fragment(), ...graph.named('Identity', [sum], output.tensor)], append }]];
    }),
  );
}

function known(dims: ReadonlyArray<number | undefined> | undefined): readonly number[] | undefined {
  return dims === undefined || dims.length < 3 || dims.includes(undefined) ? undefined : (dims as readonly number[]);
}

/** Whether two tensors have the same axes before the last two. */
function areBeside(one: readonly number[], other: readonly number[]): boolean {
  return one.slice(0, -2).join() === other.slice(0, -2).join();
}
