import type { BlockSpan, KeyBlocks } from './blocks.ts';
import { blockNumbers, blockSpan, clamp, isWithin, keyBlocks, patternBias } from './blocks.ts';
import type { GraphBuilder, Value } from '../../src/model/graph/graph-builder.ts';
import type { KernelConfig, KernelInputs } from './kernel.ts';
import type { Lengths } from './tiles.ts';
import type { Pieces, TileRuns } from './tile-runs.ts';
import { allHeads, joinTiles, piecesAt, piecesOf, rowsAt, rowsOf, rowsOfPieces } from './tile-runs.ts';
import {
  addBiases,
  attend,
  biasOfMask,
  biasWhereNegative,
  cast,
  castBias,
  lengths,
  maskedScore,
  range,
  scaled,
  scores,
  shape,
  toFloat,
} from './tiles.ts';

/** Queries and keys in blocks on one axis, with what selection between blocks needs. */
export interface BlockSite {
  readonly lengths: Lengths;
  readonly queries: BlockSpan;
  readonly keys: KeyBlocks;
  /** The query that speaks for each query block: the first when causal, else the mean. Unscaled, `[batch, heads, queryBlocks, headDim]`. */
  readonly speakers: Value;
  /** f32 bias `[batch or 1, 1, queryBlocks, keyBlocks]`: 0 for blocks that may be chosen beside the own one. */
  readonly candidates: Value;
  /** int64 `[queryBlocks]`. */
  readonly own: Value;
}

/** What the blocks of queries of one run read beside their own blocks. */
export interface Slots {
  /** int64 `[at once, slots]`. */
  readonly index: Value;
  /** f32 `[at once, slots]`, added to the scores of a slot's keys: 0, or the masked score; absent where every slot is a wanted block. */
  readonly bias?: Value;
  /** Corrects the scores `[at once, size, slots + 1, size]` of the slots and the own block. */
  readonly correct?: (graph: GraphBuilder, score: Value) => Value;
}

/** How the blocks of queries are taken, and what each reads. */
export interface Selection {
  readonly runs: TileRuns;
  /** int64 scalar: the most slots of a run. */
  readonly most: Value;
  /** Whether a run may have fewer. */
  readonly varies: boolean;
  /** `number`, int64 `[at once]`: head · blocks + block. */
  readonly select: (graph: GraphBuilder, run: Value, number: Value) => Slots;
}

export function blockSite(graph: GraphBuilder, inputs: KernelInputs, size: number, config: KernelConfig): BlockSite {
  const at = { lengths: lengths(graph, inputs), size };
  const queries = blockSpan(graph, at);
  const keys = keyBlocks(graph, inputs.mask, at.lengths, size);
  const own = blockNumbers(graph, queries);
  return {
    lengths: at.lengths,
    queries,
    keys,
    speakers: speakersOf(graph, inputs, { queries, keys, lengths: at.lengths }, config),
    candidates: candidateBias(graph, keys, own, config),
    own,
  };
}

function speakersOf(
  graph: GraphBuilder,
  inputs: KernelInputs,
  site: { queries: BlockSpan; keys: KeyBlocks; lengths: Lengths },
  config: KernelConfig,
): Value {
  const { queries } = site.lengths;
  const { lead, size } = site.queries;
  const block = range(graph, site.queries.count);
  const first = graph.op('Sub', [graph.op('Mul', [block, graph.int(size)]), lead]);
  if (config.causal) return graph.op('Gather', [inputs.query, clamp(graph, first, queries)], { axis: 2 });
  const row = graph.op('Add', [graph.op('Unsqueeze', [first, graph.int([1])]), range(graph, size)]);
  const real = graph.op('Unsqueeze', [isWithin(graph, row, queries), graph.int([0, 1])]);
  const weight = config.masked && config.selfAttention ? graph.op('Mul', [real, site.keys.kept]) : real;
  const counted = graph.op('Max', [graph.op('ReduceSum', [weight, graph.int([-1])], { keepdims: 1 }), graph.float(1)]);
  const share = cast(graph, graph.op('Unsqueeze', [graph.op('Div', [weight, counted]), graph.int([-1])]), config.type);
  const gathered = graph.op('Gather', [inputs.query, site.queries.rows], { axis: 2 });
  const blocks = graph.op('Reshape', [gathered, graph.int([0, config.heads, -1, size, config.headDim])]);
  return graph.op('ReduceSum', [graph.op('Mul', [blocks, share]), graph.int([3])], { keepdims: 0 });
}

function candidateBias(graph: GraphBuilder, keys: KeyBlocks, own: Value, config: KernelConfig): Value {
  const index = toFloat(graph, range(graph, keys.count));
  const ahead = graph.op('Sub', [toFloat(graph, graph.op('Unsqueeze', [own, graph.int([1])])), index]);
  const distance = config.causal ? ahead : graph.op('Abs', [ahead]);
  const others = graph.op('Clip', [graph.op('Sub', [distance, graph.float(1)]), graph.float(-1), graph.float(0)]);
  const empty = graph.op('Sub', [graph.op('Min', [keys.tokens, graph.float(1)]), graph.float(1)]);
  const barred = graph.op('Min', [others, graph.op('Unsqueeze', [empty, graph.int([2])])]);
  return graph.op('Mul', [barred, graph.float(-maskedScore.f32)]);
}

/** Attention of each block of queries to the blocks that were selected for it and to its own: `[batch, heads, queries, headDim]`. */
export function attendSelectedBlocks(
  graph: GraphBuilder,
  inputs: KernelInputs,
  site: BlockSite,
  { runs, most, varies, select }: Selection,
  config: KernelConfig,
): Value {
  const { headDim, causal, masked, type } = config;
  const { queries, keys } = site.lengths;
  const { size } = site.keys;
  const query = rowsOf(graph, inputs.query, headDim);
  const [key, value] = [inputs.key, inputs.value].map((tensor) => piecesOf(graph, tensor, keys, size, headDim)) as [Pieces, Pieces];
  const queryRows = graph.op('Reshape', [site.queries.rows, graph.int([-1, size])]);
  const group = graph.int(config.heads / config.kvHeads);
  const own = causal ? ownBias(graph, { size, most }, type) : undefined;
  const padding = paddingBias(graph, inputs.mask);
  const stacked = graph.loop(runs.count, type, (body, run) => {
    const head = body.op('Gather', [runs.head, run], { axis: 0 });
    const block = body.op('Gather', [runs.tile, run], { axis: 0 });
    const slots = select(body, run, body.op('Add', [body.op('Mul', [head, site.queries.count]), block]));
    const ownBlock = body.op('Unsqueeze', [body.op('Gather', [site.own, block], { axis: 0 }), body.int([1])]);
    const blocks = body.op('Concat', [slots.index, ownBlock], { axis: 1 });
    const at = piecesAt(body, key, blocks, body.op('Div', [head, group]), size);
    const rows = rowsAt(body, query, { head, length: queries, index: body.op('Gather', [queryRows, block], { axis: 0 }), axes: 1 });
    const raw = scores(body, scaled(body, rows, config), rowsOfPieces(body, key, at), 3);
    const score = slots.correct === undefined ? raw : correctSlots(body, raw, slots.correct, size);
    const ownColumns = own !== undefined && varies ? lastColumns(body, own, blocks, size) : own;
    const columns = columnBias(body, { slots, blocks, head, padding, keys, size }, config);
    const bias =
      ownColumns !== undefined && columns !== undefined ? bothBiases(body, ownColumns, columns, slots, config) : (ownColumns ?? columns);
    return attend(body, { score, bias, value: rowsOfPieces(body, value, at), mayBeEmpty: masked }, type);
  });
  const all = allHeads(graph, inputs.query, config.heads);
  const joined = { allHeads: all, heads: config.heads, queries, size: graph.int(size), lead: site.queries.lead, headDim };
  return joinTiles(graph, stacked, runs, joined);
}

/** `[1, size, (most + 1)·size]`: 0 for all slots' keys, a triangle for the own block's, which comes last. */
function ownBias(graph: GraphBuilder, { size, most }: { size: number; most: Value }, type: KernelConfig['type']): Value {
  const triangle = patternBias(graph, { rows: size, columns: size }, (row, column) => column <= row, type);
  const slots = graph.op('Expand', [graph.scalar(0, type), shape(graph, [size, graph.op('Mul', [most, graph.int(size)])])]);
  return graph.op('Unsqueeze', [graph.op('Concat', [slots, triangle], { axis: 1 }), graph.int([0])]);
}

/** As many last columns of `bias` as `blocks` `[at once, blocks]` have keys. */
function lastColumns(graph: GraphBuilder, bias: Value, blocks: Value, size: number): Value {
  const width = graph.sizes(bias, 2, 3);
  const taken = graph.op('Mul', [graph.sizes(blocks, 1, 2), graph.int(size)]);
  return graph.op('Slice', [bias, graph.op('Sub', [width, taken]), width, graph.int([2])]);
}

function correctSlots(graph: GraphBuilder, score: Value, correct: (graph: GraphBuilder, score: Value) => Value, size: number): Value {
  const bySlot = graph.op('Reshape', [score, graph.int([0, size, -1, size])]);
  return graph.op('Reshape', [correct(graph, bySlot), graph.int([0, size, -1])]);
}

/** A padding mask as f32 `[batch·keys]`: 0 keeps, the masked score removes. */
function paddingBias(graph: GraphBuilder, mask: Value | undefined): Value | undefined {
  return mask === undefined ? undefined : graph.op('Reshape', [biasOfMask(graph, mask, 'f32'), graph.int([-1])]);
}

/** `[at once, 1, columns]`: slots that are not wanted, padding, and what fills the last block up; absent where there is none of it. */
function columnBias(
  graph: GraphBuilder,
  given: { slots: Slots; blocks: Value; head: Value; padding: Value | undefined; keys: Value; size: number },
  { causal, heads, type }: KernelConfig,
): Value | undefined {
  const { slots, size, padding } = given;
  const unwanted = slots.bias === undefined ? undefined : perKey(graph, slots.bias, size);
  // What lies behind the last key is later than any query, too.
  const bias = causal && padding === undefined ? unwanted : addBiases(graph, unwanted, ...keyBiases(graph, given, heads));
  return bias === undefined ? undefined : castBias(graph, graph.op('Unsqueeze', [bias, graph.int([1])]), type);
}

/** f32 `[at once, columns]`: what lies behind the last key, and padding. */
function keyBiases(
  graph: GraphBuilder,
  { blocks, head, padding, keys, size }: { blocks: Value; head: Value; padding: Value | undefined; keys: Value; size: number },
  heads: number,
): ReadonlyArray<Value | undefined> {
  const start = graph.op('Unsqueeze', [graph.op('Mul', [blocks, graph.int(size)]), graph.int([2])]);
  const token = graph.op('Reshape', [graph.op('Add', [start, range(graph, size)]), graph.int([0, -1])]);
  const last = graph.op('Sub', [keys, graph.int(1)]);
  const behind = biasWhereNegative(graph, toFloat(graph, graph.op('Sub', [last, token])), 'f32');
  if (padding === undefined) return [behind];
  const at = { head: graph.op('Div', [head, graph.int(heads)]), length: keys, index: graph.op('Min', [token, last]), axes: 1 };
  return [behind, rowsAt(graph, padding, at)];
}

/** A bias per slot `[at once, slots]` as one per key, `[at once, (slots + 1)·size]`, 0 for the own block's. */
function perKey(graph: GraphBuilder, bias: Value, size: number): Value {
  const withOwn = graph.op('Unsqueeze', [graph.op('Pad', [bias, graph.int([0, 0, 0, 1]), graph.float(0)]), graph.int([2])]);
  return graph.op('Reshape', [graph.op('Expand', [withOwn, graph.int([1, 1, size])]), graph.int([0, -1])]);
}

/** The sum of the biases of the own block and of the columns; where no slot is unwanted, and nothing else masks columns, the first alone. */
function bothBiases(graph: GraphBuilder, own: Value, columns: Value, slots: Slots, { causal, masked, type }: KernelConfig): Value {
  const sum = (inner: GraphBuilder) => inner.op('Add', [own, columns]);
  if (masked || !causal || slots.bias === undefined) return sum(graph);
  const isUneven = graph.op('Less', [graph.op('ReduceMin', [slots.bias], { keepdims: 0 }), graph.float(maskedScore.f32 / 2)]);
  return graph.branch(isUneven, type, { yes: sum, no: () => own });
}

/** The `count` slots of largest score (int64 scalar), a tie going to the lower block. ONNX's TopK takes one at least: none are cut from one. */
export function largestSlots(graph: GraphBuilder, score: Value, count: Value): { score: Value; index: Value } {
  const some = graph.op('Unsqueeze', [graph.op('Max', [count, graph.int(1)]), graph.int([0])]);
  const [values = '', index = ''] = graph.ops('TopK', [score, some], { axis: -1, largest: 1, sorted: 1 }, 2);
  const wanted = graph.op('Unsqueeze', [count, graph.int([0])]);
  const cut = (tensor: Value) => graph.op('Slice', [tensor, graph.int([0]), wanted, graph.int([-1])]);
  return { score: cut(values), index: cut(index) };
}
