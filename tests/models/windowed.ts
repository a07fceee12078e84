import type { Tensors } from '../../src/contract/tensor.ts';
import { tensorOf } from '../../src/inputs/model-inputs.ts';
import { RandomStream } from '../../src/inputs/random.ts';
import { size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import { GraphWriter } from './graph-writer.ts';
import type { Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { drawStates, keptPositions, paddingMask } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { leastFloat, mergeHeads, sizeOf, splitHeads } from './torch-shapes.ts';
import { affine } from './weights.ts';

/** What a mask is computed from, int64: positions of queries `[queries, 1]` and of keys `[keys]`, and how many keys there are. */
export interface Positions {
  readonly row: Value;
  readonly column: Value;
  readonly keys: Value;
  /** row − column. */
  readonly gap: Value;
}

/** Which keys a query sees, bool; broadcasts to `[batch, heads, queries, keys]`. */
export type Sees = (g: GraphWriter, at: Positions) => Value;

export interface WindowedModel {
  readonly sees: Sees;
  /** Whether an input `attention_mask` says which keys are padding. */
  readonly padded?: boolean;
  /** Whether keys and values of a past come before the model's own. */
  readonly past?: boolean;
  /** A table of positions that is added to its tokens, and how its rows are taken: more tokens than it has rows do not run. */
  readonly positions?: { readonly rows: number; readonly by: 'Gather' | 'Slice' };
  /** Whether it has further inputs, or queries that see no key. */
  readonly odd?: true;
}

const { heads, headDim, hidden } = size;

/** One attention: `x` → `y`, `[batch, sequence, hidden]`. */
export function buildWindowed({ sees, padded = false, past = false, positions }: WindowedModel): Uint8Array {
  const g = new GraphWriter(torchScript(14));
  const x = g.input('x', 'f32', ['batch', 'sequence', hidden]);
  const states = positions === undefined ? x : g.op('Add', [x, positionsOf(g, x, positions)]);
  const project = (name: string) => splitHeads(g, linear(g, states, affine(0, name, hidden, heads * headDim)), heads);
  const behind = (name: string, own: Value) =>
    past ? g.op('Concat', [g.input(name, 'f32', ['batch', heads, 'past', headDim]), own], { axis: 2 }) : own;
  const query = project('query');
  const key = behind('past_key', project('key'));
  const value = behind('past_value', project('value'));
  const keys = sizeOf(g, key, 2);
  const column = g.op('Range', [g.int(0), keys, g.int(1)]);
  const row = g.unsqueeze(g.op('Range', [g.op('Sub', [keys, sizeOf(g, x, 1)]), keys, g.int(1)]), [1]);
  const kept = padded
    ? g.cast(g.unsqueeze(g.input('attention_mask', 'i64', ['batch', past ? 'past + sequence' : 'sequence']), [1, 2]), 'bool')
    : undefined;
  const seen = sees(g, { row, column, keys, gap: g.op('Sub', [row, column]) });
  const open = kept === undefined ? seen : g.op('And', [seen, kept]);
  const logits = g.op('Div', [g.op('MatMul', [query, g.op('Transpose', [key], { perm: [0, 1, 3, 2] })]), g.float(Math.sqrt(headDim))]);
  const weights = g.op('Softmax', [g.op('Where', [open, logits, g.float(leastFloat)])], { axis: -1 });
  g.output('y', mergeHeads(g, g.op('MatMul', [weights, value])), 'f32', ['batch', 'sequence', hidden]);
  return g.bytes();
}

function positionsOf(g: GraphWriter, x: Value, { rows, by }: NonNullable<WindowedModel['positions']>): Value {
  const table = g.weight('positions', [rows, hidden], new Float32Array(rows * hidden));
  const count = sizeOf(g, x, 1);
  return by === 'Gather'
    ? g.op('Gather', [table, g.op('Range', [g.int(0), count, g.int(1)])], { axis: 0 })
    : g.op('Slice', [table, g.int([0]), g.unsqueeze(count, [0]), g.int([0])]);
}

/** What such a model reads; every token of the past counts. */
export function feedWindowed({ padded = false, past = false }: WindowedModel, at: FeedRequest & { readonly before?: number }): Tensors {
  const { batch, before = 0, seed = 0 } = at;
  const stored = (name: string) => {
    const values = new RandomStream(seed, name).fillNormal(new Float32Array(batch * heads * before * headDim), 1);
    return tensorOf('float32', [batch, heads, before, headDim], values);
  };
  return {
    x: drawStates(at),
    ...(padded && { attention_mask: paddingMask(at, before) }),
    ...(past && { past_key: stored('past_key'), past_value: stored('past_value') }),
  };
}

/** ‖actual − expected‖ / ‖expected‖ of the output `y` over the tokens that are not padding. */
export function differenceOfKept(actual: Tensors, expected: Tensors, at: FeedRequest): number {
  const kept = keptPositions(at).flat();
  return differenceWhere(actual, expected, (token) => kept[token] === true);
}

/** The same over some tokens, which are counted through all batch elements. */
export function differenceWhere({ y: actual }: Tensors, { y: expected }: Tensors, counts: (token: number) => boolean): number {
  const [own, wanted] = [actual, expected].map((tensor) => tensor!.data as Float32Array);
  const width = expected!.dims.at(-1)!;
  let [difference, total] = [0, 0];
  wanted!.forEach((value, place) => {
    if (!counts(Math.floor(place / width))) return;
    difference += (own![place]! - value) ** 2;
    total += value ** 2;
  });
  return Math.sqrt(difference / total);
}

/** Pairs at most so far apart: keys before a query, and after it. */
export const within =
  (left: number, right: number): Sees =>
  (g, { gap }) =>
    g.op('And', [g.op('LessOrEqual', [gap, g.int(left)]), g.op('GreaterOrEqual', [gap, g.int(-right)])]);
