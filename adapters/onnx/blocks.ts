import type { GraphBuilder, Value } from '../../src/model/graph/graph-builder.ts';
import type { KernelConfig } from './kernel.ts';
import type { Lengths } from './tiles.ts';
import { ceilDivide, biasWhereNegative, cast, maskedScore, perHead, range, shape, slice, toFloat } from './tiles.ts';

/**
 * Queries cut into blocks by their position on the keys' axis, so that block t of the queries is block `first` + t of the
 * keys. The first and last block are filled up with repeated queries, whose rows {@link joinBlocks} drops.
 */
export interface BlockSpan {
  readonly size: number;
  /** int64 scalar: how many blocks hold a query. */
  readonly count: Value;
  /** int64 scalar: the first of them on the keys' axis. */
  readonly first: Value;
  /** int64 scalar: rows filled in before query 0. */
  readonly lead: Value;
  /** int64 `[count·size]`: the query in each row of the blocks. */
  readonly rows: Value;
}

export function blockSpan(graph: GraphBuilder, at: { lengths: Lengths; size: number }): BlockSpan {
  const { queries, keys, offset } = at.lengths;
  const size = graph.int(at.size);
  const lead = graph.op('Mod', [offset, size]);
  const first = graph.op('Div', [offset, size]);
  const count = graph.op('Sub', [ceilDivide(graph, keys, at.size), first]);
  const rows = range(graph, graph.op('Mul', [count, size]));
  return { size: at.size, count, first, lead, rows: clamp(graph, graph.op('Sub', [rows, lead]), queries) };
}

/** `[batch, heads, blocks, size, headDim]` → `[batch, heads, queries, headDim]`. */
export function joinBlocks(
  graph: GraphBuilder,
  output: Value,
  blocks: BlockSpan,
  at: { lengths: Lengths; heads: number; headDim: number },
): Value {
  const joined = graph.op('Reshape', [output, graph.int([0, at.heads, -1, at.headDim])]);
  return slice(graph, joined, blocks.lead, graph.op('Add', [blocks.lead, at.lengths.queries]), 2);
}

/** int64 indices held within 0 … size−1. */
export function clamp(graph: GraphBuilder, index: Value, size: Value): Value {
  return graph.op('Max', [graph.op('Min', [index, graph.op('Sub', [size, graph.int(1)])]), graph.int(0)]);
}

/** Blocks of keys, and how many unpadded keys each holds. */
export interface KeyBlocks {
  readonly size: number;
  /** int64 scalar. */
  readonly count: Value;
  /** int64 scalar: keys that the last block lacks. */
  readonly missing: Value;
  /** f32, 1 for a real, unpadded key, else 0: `[batch or 1, 1, blocks, size]`. */
  readonly kept: Value;
  /** f32 `[batch or 1, 1, blocks]`: unpadded keys in the block. */
  readonly tokens: Value;
}

export function keyBlocks(graph: GraphBuilder, mask: Value | undefined, { keys }: Lengths, size: number): KeyBlocks {
  const count = ceilDivide(graph, keys, size);
  const missing = graph.op('Sub', [graph.op('Mul', [count, graph.int(size)]), keys]);
  const ones = mask === undefined ? graph.op('Expand', [graph.float(1), shape(graph, [1, keys])]) : toFloat(graph, mask);
  const filled = graph.op('Pad', [ones, shape(graph, [0, 0, 0, missing])]);
  const kept = graph.op('Reshape', [filled, graph.int([0, 1, -1, size])]);
  return { size, count, missing, kept, tokens: graph.op('ReduceSum', [kept, graph.int([-1])], { keepdims: 0 }) };
}

/** Each block's mean over its unpadded keys, `[batch, heads, blocks, headDim]`, summed in f32; 0 over none. */
export function blockMeans(graph: GraphBuilder, key: Value, blocks: KeyBlocks, config: KernelConfig): Value {
  const { type, kvHeads, headDim, masked } = config;
  // Joined with zeros, not padded: ONNX Runtime's Pad takes four times as long.
  const lacking = graph.op('Concat', [graph.sizes(key, 0, 1), shape(graph, [kvHeads, blocks.missing, headDim])], { axis: 0 });
  const filled = graph.op('Concat', [key, graph.op('Expand', [graph.scalar(0, type), lacking])], { axis: 2 });
  const cut = graph.op('Reshape', [filled, graph.int([0, kvHeads, -1, blocks.size, headDim])]);
  const single = type === 'f32' ? cut : toFloat(graph, cut);
  const summand = masked ? graph.op('Mul', [single, graph.op('Unsqueeze', [blocks.kept, graph.int([-1])])]) : single;
  const sum = graph.op('ReduceSum', [summand, graph.int([3])], { keepdims: 0 });
  const tokens = graph.op('Max', [blocks.tokens, graph.float(1)]);
  const mean = graph.op('Div', [sum, graph.op('Unsqueeze', [tokens, graph.int([-1])])]);
  return perHead(graph, cast(graph, mean, type), config);
}

/** ln(tokens) of each block, the masked score where a block is empty: `[batch or 1, 1, blocks]`. */
export function tokenBias(graph: GraphBuilder, tokens: Value): Value {
  const log = graph.op('Log', [graph.op('Max', [tokens, graph.float(1)])]);
  const empty = graph.op('Sub', [graph.float(1), graph.op('Min', [tokens, graph.float(1)])]);
  return graph.op('Add', [log, graph.op('Mul', [empty, graph.float(maskedScore.f32)])]);
}

/** The block numbers of the query blocks, int64 `[blocks]`. */
export function blockNumbers(graph: GraphBuilder, blocks: BlockSpan): Value {
  return range(graph, blocks.count, blocks.first);
}

/** A constant bias `[rows, columns]` by rule, such as the triangle of a causal block. */
export function patternBias(
  graph: GraphBuilder,
  size: { rows: number; columns: number },
  allowed: (row: number, column: number) => boolean,
  type: KernelConfig['type'],
): Value {
  const cells = Array.from({ length: size.rows * size.columns }, (_, cell) =>
    allowed(Math.floor(cell / size.columns), cell % size.columns) ? 0 : maskedScore[type],
  );
  return cast(graph, graph.op('Reshape', [graph.float(cells), graph.int([size.rows, size.columns])]), type);
}

/** f32, 1 where int64 `index` lies within 0 … size−1, else 0. */
export function isWithin(graph: GraphBuilder, index: Value, size: Value): Value {
  const outside = graph.op('Mul', [biasOutside(graph, index, size), graph.float(1 / maskedScore.f32)]);
  return graph.op('Sub', [graph.float(1), outside]);
}

/** f32 bias of int64 `index`: 0 within 0 … size−1, the masked score outside. */
export function biasOutside(graph: GraphBuilder, index: Value, size: Value): Value {
  const beyond = graph.op('Sub', [graph.op('Sub', [size, graph.int(1)]), index]);
  return biasWhereNegative(graph, toFloat(graph, graph.op('Min', [index, beyond])), 'f32');
}
