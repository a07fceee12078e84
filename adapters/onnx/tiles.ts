import { kvHeadOf } from '../../src/contract/shape.ts';
import { elementTypes } from '../../src/model/graph/element-types.ts';
import type { ElementType } from '../../src/model/graph/element-types.ts';
import type { GraphBuilder, Value } from '../../src/model/graph/graph-builder.ts';
import type { KernelConfig, KernelInputs } from './kernel.ts';

/** Lengths of the call as int64 scalars, read from the inputs' shapes when the graph runs. */
export interface Lengths {
  readonly queries: Value;
  readonly keys: Value;
  /** keys − queries: the position of query 0 on the keys' axis. */
  readonly offset: Value;
}

export function lengths(graph: GraphBuilder, inputs: KernelInputs): Lengths {
  const size = (tensor: Value) => graph.op('Squeeze', [graph.sizes(tensor, 2, 3)]);
  const queries = size(inputs.query);
  const keys = size(inputs.key);
  return { queries, keys, offset: graph.op('Sub', [keys, queries]) };
}

/** ⌈value / divisor⌉ of non-negative int64 scalars. */
export function ceilDivide(graph: GraphBuilder, value: Value, divisor: number | Value): Value {
  if (typeof divisor === 'number') return graph.op('Div', [graph.op('Add', [value, graph.int(divisor - 1)]), graph.int(divisor)]);
  return graph.op('Div', [graph.op('Sub', [graph.op('Add', [value, divisor]), graph.int(1)]), divisor]);
}

/** The int64 vector first … first + count − 1, of int64 scalars where they are not known yet; from 0 where no first is given. */
export function range(graph: GraphBuilder, count: number | Value, first?: Value): Value {
  if (typeof count === 'number') return graph.int(Array.from({ length: count }, (_, index) => index));
  const end = first === undefined ? count : graph.op('Add', [first, count]);
  return graph.op('Range', [first ?? graph.int(0), end, graph.int(1)]);
}

/** An int64 scalar as a vector of one, as Slice, Reshape and Concat of shapes want it. */
export function vector(graph: GraphBuilder, scalar: Value): Value {
  return graph.op('Unsqueeze', [scalar, graph.int([0])]);
}

/** A shape vector out of known sizes and int64 scalars. */
export function shape(graph: GraphBuilder, sizes: ReadonlyArray<number | Value>): Value {
  const parts = sizes.map((size) => (typeof size === 'number' ? graph.int([size]) : vector(graph, size)));
  return graph.op('Concat', parts, { axis: 0 });
}

/** `tensor[start:end]` along `axis`, with int64 scalars. */
export function slice(graph: GraphBuilder, tensor: Value, start: Value, end: Value, axis: number): Value {
  return graph.op('Slice', [tensor, vector(graph, start), vector(graph, end), graph.int([axis])]);
}

/** key/value heads repeated so that every query head has its own: `[batch, heads, keys, headDim]`. */
export function perHead(graph: GraphBuilder, tensor: Value, config: Pick<KernelConfig, 'heads' | 'kvHeads'>): Value {
  if (config.heads === config.kvHeads) return tensor;
  const source = Array.from({ length: config.heads }, (_, head) => kvHeadOf(config, head));
  return graph.op('Gather', [tensor, graph.int(source)], { axis: 1 });
}

/**
 * q·scale: ONNX Runtime folds it into the product that it feeds, where that is the only one. Where logits are capped, in units of the cap:
 * {@link capped} expects them so.
 */
export function scaled(
  graph: GraphBuilder,
  query: Value,
  { scale, softcap, type }: Pick<KernelConfig, 'scale' | 'softcap' | 'type'>,
): Value {
  return graph.op('Mul', [query, graph.scalar(scale / (softcap ?? 1), type)]);
}

/** Scores of {@link scaled} queries as logits: softly capped where the configuration says so, before anything is added to them. */
export function capped(graph: GraphBuilder, score: Value, { softcap, type }: Pick<KernelConfig, 'softcap' | 'type'>): Value {
  return softcap === undefined ? score : graph.op('Mul', [graph.op('Tanh', [score]), graph.scalar(softcap, type)]);
}

/** Products q·kᵀ of `[…, rows, d]` and `[…, columns, d]`. */
export function scores(graph: GraphBuilder, query: Value, key: Value, rank: 3 | 4 | 5): Value {
  const perm = [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2];
  return graph.op('MatMul', [query, graph.op('Transpose', [key], { perm })]);
}

/**
 * What is added to the score of a masked pair: enough that its weight is exactly 0 beside any other key, finite so that a
 * row of nothing else stays free of NaN, and a quarter of the range, so that two biases may add up. An addition, because
 * ONNX Runtime's `Where` runs on one thread and costs six times as much.
 */
export const maskedScore = { f32: -1e30, f16: -1.6e4 } as const;

/** f32 distances → bias: 0 where `distance` ≥ 0, the masked score where it is ≤ −1. Distances are whole numbers. */
export function biasWhereNegative(graph: GraphBuilder, distance: Value, type: KernelConfig['type']): Value {
  const clipped = graph.op('Clip', [distance, graph.float(-1), graph.float(0)]);
  return cast(graph, graph.op('Mul', [clipped, graph.float(-maskedScore[type])]), type);
}

/** 0 where a key of int64 `keys` `[columns]` is not later than a query of int64 `positions` `[rows]`, else the masked score: `[rows, columns]`. */
export function causalBias(graph: GraphBuilder, positions: Value, keys: Value, type: KernelConfig['type']): Value {
  const column = toFloat(graph, keys);
  const position = graph.op('Unsqueeze', [toFloat(graph, positions), graph.int([1])]);
  return biasWhereNegative(graph, graph.op('Sub', [position, column]), type);
}

/** A padding mask (bool, true keeps) as a bias: 0 keeps, the masked score removes. */
export function biasOfMask(graph: GraphBuilder, mask: Value, type: KernelConfig['type']): Value {
  const kept = graph.op('Cast', [mask], { to: elementTypes.f32 });
  return cast(graph, graph.op('Mul', [graph.op('Sub', [graph.float(1), kept]), graph.float(maskedScore[type])]), type);
}

/** The sum of those biases that are present. */
export function addBiases(graph: GraphBuilder, ...biases: ReadonlyArray<Value | undefined>): Value | undefined {
  const present = biases.filter((bias) => bias !== undefined);
  return present.length === 0 ? undefined : present.reduce((left, right) => graph.op('Add', [left, right]));
}

/**
 * softmax(score + bias)·value, each row of the softmax beside the sink of its head, where there are sinks `[heads]`. With `mayBeEmpty`, rows
 * whose every bias masks give zeros; without it the caller knows that each row sees a key. `manyMasked`: see {@link floored}.
 */
export function attend(
  graph: GraphBuilder,
  parts: { score: Value; bias: Value | undefined; value: Value; sinks?: Value | undefined; mayBeEmpty: boolean; manyMasked?: boolean },
  type: KernelConfig['type'],
): Value {
  const { bias, sinks } = parts;
  const biased = bias === undefined ? parts.score : graph.op('Add', [parts.score, bias]);
  const score = parts.manyMasked === true && sinks === undefined ? floored(graph, biased, type) : biased;
  const weights = sinks === undefined ? graph.op('Softmax', [score], { axis: -1 }) : besideSinks(graph, score, sinks);
  const output = graph.op('MatMul', [weights, parts.value]);
  return bias === undefined || !parts.mayBeEmpty ? output : zeroEmptyRows(graph, output, bias, type);
}

/** A weight of e⁻⁶⁴ is lost beside one of 1, and still a normal number after it was divided by a row's sum and multiplied by a value. */
const leastExponent = 64;

/**
 * f32 scores `[…, columns]` raised to 64 below their row's largest. ONNX Runtime computes the exponentials of masked scores as denormal numbers,
 * at two to five times the cost: two more passes pay where a fifth of the scores or more is masked. A masked key then has a weight of 1.6e-28
 * instead of 0, which shows only if its value is 1e20 times as large as the others'.
 */
export function floored(graph: GraphBuilder, score: Value, type: KernelConfig['type']): Value {
  if (type !== 'f32') return score;
  return graph.op('Max', [score, graph.op('Sub', [graph.maximum(score, [-1]), graph.float(leastExponent)])]);
}

/** The softmax of scores `[batch, heads, rows, columns]` and one more logit a row, whose weight is left out. */
function besideSinks(graph: GraphBuilder, score: Value, sinks: Value): Value {
  const column = graph.op('Concat', [graph.sizes(score, 0, 3), graph.int([1])], { axis: 0 });
  const sink = graph.op('Expand', [graph.op('Reshape', [sinks, graph.int([1, -1, 1, 1])]), column]);
  const weights = graph.op('Softmax', [graph.op('Concat', [score, sink], { axis: -1 })], { axis: -1 });
  return graph.op('Slice', [weights, graph.int([0]), graph.int([-1]), graph.int([-1])]);
}

/** `output` with zeros in the rows that `bias` masks altogether. */
export function zeroEmptyRows(graph: GraphBuilder, output: Value, bias: Value, type: KernelConfig['type']): Value {
  const best = graph.maximum(bias, [-1]);
  const sees = graph.op('Greater', [best, graph.scalar(maskedScore[type] / 2, type)]);
  return graph.op('Mul', [output, graph.op('Cast', [sees], { to: elementTypes[type] })]);
}

/** An f32 bias in the kernel's type: what is out of f16's range becomes its masked score, not −∞, which would leave NaN in rows of nothing else. */
export function castBias(graph: GraphBuilder, bias: Value, type: KernelConfig['type']): Value {
  return type === 'f32' ? bias : cast(graph, graph.op('Max', [bias, graph.float(maskedScore[type])]), type);
}

export function cast(graph: GraphBuilder, value: Value, type: ElementType): Value {
  return type === 'f32' ? value : graph.op('Cast', [value], { to: elementTypes[type] });
}

/** How many are true along the last axis, int64 `[…, 1]`. */
export function countTrue(graph: GraphBuilder, flags: Value): Value {
  const counted = graph.op('ReduceSum', [toFloat(graph, flags), graph.int([-1])], { keepdims: 1 });
  return graph.op('Cast', [counted], { to: elementTypes.i64 });
}

/** An int64 tensor as f32, exact below 2²⁴. */
export function toFloat(graph: GraphBuilder, value: Value): Value {
  return graph.op('Cast', [value], { to: elementTypes.f32 });
}

export interface QueryTile {
  /** `[batch, heads, tile, headDim]`; rows past the last query repeat it. */
  readonly query: Value;
  /** int64 `[tile]`: numbers of the queries; past the last one they go on. */
  readonly rows: Value;
  /** int64 scalar: how many there are. */
  readonly size: Value;
  /** int64 scalar: the position of the tile's first query on the keys' axis. */
  readonly start: Value;
  /** int64 `[tile]`: each row's position on the keys' axis. */
  readonly positions: Value;
}

/**
 * Runs `body` over tiles of `tile` queries, or of all where they are fewer, one after another, and joins what it returns for each
 * (`[batch, heads, tile, headDim]`): scores of one tile at a time, so memory grows with n and not with n².
 */
export function overQueryTiles(
  graph: GraphBuilder,
  options: { query: Value; lengths: Lengths; tile: number; config: KernelConfig },
  body: (graph: GraphBuilder, tile: QueryTile) => Value,
): Value {
  const { query, tile, config } = options;
  const { queries, offset } = options.lengths;
  const last = graph.op('Sub', [queries, graph.int(1)]);
  const tiles = ceilDivide(graph, queries, tile);
  const size = graph.op('Min', [queries, graph.int(tile)]);
  const within = range(graph, size);
  const stacked = graph.loop(tiles, config.type, (inner, iteration) => {
    const rows = inner.op('Add', [inner.op('Mul', [iteration, inner.int(tile)]), within]);
    const start = inner.op('Add', [inner.op('Mul', [iteration, inner.int(tile)]), offset]);
    const positions = inner.op('Add', [rows, offset]);
    const rowsOfQuery = inner.op('Gather', [query, inner.op('Min', [rows, last])], { axis: 2 });
    return body(inner, { query: rowsOfQuery, rows, size, start, positions });
  });
  // [tiles, batch, heads, tile, headDim] → [batch, heads, queries, headDim], the last tile cut to length.
  const ordered = graph.op('Transpose', [stacked], { perm: [1, 2, 0, 3, 4] });
  const joined = graph.op('Reshape', [ordered, graph.int([0, config.heads, -1, config.headDim])]);
  return slice(graph, joined, graph.int(0), queries, 2);
}
