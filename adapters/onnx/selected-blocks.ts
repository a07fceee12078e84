import type { KeyBlocks, QueryBlocks } from './blocks.ts';
import { biasOutside, blockNumbers, clamp, joinBlocks, keyBlocks, patternBias, queryBlocks } from './blocks.ts';
import type { GraphBuilder, Value } from '../../src/model/graph/graph-builder.ts';
import type { KernelConfig, KernelInputs } from './kernel.ts';
import type { Lengths } from './tiles.ts';
import { addBiases, attend, cast, castBias, lengths, maskedScore, perHead, scaled, toFloat } from './tiles.ts';

/** Queries and keys in blocks on one axis, with what selection between blocks needs. */
export interface BlockSite {
  readonly lengths: Lengths;
  readonly queries: QueryBlocks;
  readonly keys: KeyBlocks;
  /** The query that speaks for each query block: the first when causal, else the mean. Unscaled, `[batch, heads, queryBlocks, headDim]`. */
  readonly speakers: Value;
  /** f32 bias `[batch or 1, 1, queryBlocks, keyBlocks]`: 0 for blocks that may be chosen beside the own one. */
  readonly candidates: Value;
  /** int64 `[queryBlocks]`. */
  readonly own: Value;
}

/** What one block of queries reads beside its own block: `[batch, heads, slots]` each. */
export interface Slots {
  readonly index: Value;
  /** Added to the scores of a slot's keys; absent where every slot is a full, wanted block. */
  readonly bias?: Value;
  /** Corrects the scores `[batch, heads, size, slots, size]` of the slots. */
  readonly correct?: (graph: GraphBuilder, score: Value) => Value;
}

export function blockSite(graph: GraphBuilder, inputs: KernelInputs, size: number, config: KernelConfig): BlockSite {
  const at = { lengths: lengths(graph, inputs), size };
  const queries = queryBlocks(graph, inputs.query, at, config);
  const source = { key: perHead(graph, inputs.key, config), value: perHead(graph, inputs.value, config), mask: inputs.mask };
  const keys = keyBlocks(graph, { ...source, lengths: at.lengths, heads: config.heads }, size, config);
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
  site: { queries: QueryBlocks; keys: KeyBlocks; lengths: Lengths },
  config: KernelConfig,
): Value {
  const { queries, lead, size } = { queries: site.lengths.queries, lead: site.queries.lead, size: site.queries.size };
  const block = graph.op('Range', [graph.int(0), site.queries.count, graph.int(1)]);
  const first = graph.op('Sub', [graph.op('Mul', [block, graph.int(size)]), lead]);
  if (config.causal) return graph.op('Gather', [inputs.query, clamp(graph, first, queries)], { axis: 2 });
  const column = graph.int(Array.from({ length: size }, (_, index) => index));
  const row = graph.op('Add', [graph.op('Unsqueeze', [first, graph.int([1])]), column]);
  const outside = graph.op('Mul', [biasOutside(graph, row, queries), graph.float(1 / maskedScore.f32)]);
  const real = graph.op('Unsqueeze', [graph.op('Sub', [graph.float(1), outside]), graph.int([0, 1])]);
  const weight = config.masked && config.selfAttention ? graph.op('Mul', [real, site.keys.kept]) : real;
  const counted = graph.op('Max', [graph.op('ReduceSum', [weight, graph.int([-1])], { keepdims: 1 }), graph.float(1)]);
  const share = cast(graph, graph.op('Unsqueeze', [graph.op('Div', [weight, counted]), graph.int([-1])]), config.type);
  return graph.op('ReduceSum', [graph.op('Mul', [site.queries.query, share]), graph.int([3])], { keepdims: 0 });
}

function candidateBias(graph: GraphBuilder, keys: KeyBlocks, own: Value, config: KernelConfig): Value {
  const index = toFloat(graph, graph.op('Range', [graph.int(0), keys.count, graph.int(1)]));
  const ahead = graph.op('Sub', [toFloat(graph, graph.op('Unsqueeze', [own, graph.int([1])])), index]);
  const distance = config.causal ? ahead : graph.op('Abs', [ahead]);
  const others = graph.op('Clip', [graph.op('Sub', [distance, graph.float(1)]), graph.float(-1), graph.float(0)]);
  const empty = graph.op('Sub', [graph.op('Min', [keys.tokens, graph.float(1)]), graph.float(1)]);
  const barred = graph.op('Min', [others, graph.op('Unsqueeze', [empty, graph.int([2])])]);
  return graph.op('Mul', [barred, graph.float(-maskedScore.f32)]);
}

/**
 * Attention of each block of queries to the blocks that `select` chose for it and to its own block, one block of queries
 * after another. `[batch, heads, queries, headDim]`. With `unevenSlots` some slots of a block may be unused.
 */
export function attendSelectedBlocks(
  graph: GraphBuilder,
  site: BlockSite,
  config: KernelConfig,
  select: (graph: GraphBuilder, iteration: Value) => Slots,
  unevenSlots: boolean,
): Value {
  const { size } = site.queries;
  const uneven = unevenSlots || config.masked || !config.causal;
  const keyBias = uneven ? keyBiasPerHead(graph, site, config) : undefined;
  const triangle = patternBias(graph, { rows: size, columns: size }, (row, column) => !config.causal || column <= row, config.type);
  const stacked = graph.loop(site.queries.count, config.type, (body, iteration) => {
    const slots = select(body, iteration);
    const ownIndex = body.op('Gather', [site.own, iteration], { axis: 0 });
    const ownSlot = body.op('Expand', [ownIndex, body.op('Concat', [body.sizes(slots.index, 0, 2), body.int([1])], { axis: 0 })]);
    const index = body.op('Unsqueeze', [body.op('Concat', [slots.index, ownSlot], { axis: 2 }), body.int([-1])]);
    const join = (tensor: Value) =>
      body.op('Reshape', [body.op('GatherND', [tensor, index], { batch_dims: 2 }), body.int([0, 0, -1, config.headDim])]);
    const rows = scaled(body, body.op('Gather', [site.queries.query, iteration], { axis: 2 }), config);
    const raw = body.op('MatMul', [rows, body.op('Transpose', [join(site.keys.key)], { perm: [0, 1, 3, 2] })]);
    const score = slots.correct === undefined ? raw : correctSlots(body, raw, slots.correct, size);
    const own = body.op('Concat', [body.op('Expand', [body.scalar(0, config.type), slotColumns(body, slots.index, size)]), triangle], {
      axis: 1,
    });
    const columns = uneven ? columnBias(body, { keyBias: keyBias!, index, slots }, config) : undefined;
    return attend(
      body,
      { score, bias: addBiases(body, own, columns), value: join(site.keys.value), mayBeEmpty: config.masked },
      config.type,
    );
  });
  const blocks = graph.op('Transpose', [stacked], { perm: [1, 2, 0, 3, 4] });
  return joinBlocks(graph, blocks, site.queries, { lengths: site.lengths, heads: config.heads, headDim: config.headDim });
}

/** The shape `[size, slots·size]`. */
function slotColumns(graph: GraphBuilder, index: Value, size: number): Value {
  const slots = graph.sizes(index, 2, 3);
  return graph.op('Concat', [graph.int([size]), graph.op('Mul', [slots, graph.int([size])])], { axis: 0 });
}

function correctSlots(graph: GraphBuilder, score: Value, correct: (graph: GraphBuilder, score: Value) => Value, size: number): Value {
  const bySlot = graph.op('Reshape', [score, graph.int([0, 0, size, -1, size])]);
  return graph.op('Reshape', [correct(graph, bySlot), graph.op('Shape', [score])]);
}

/** `[batch, heads, keyBlocks, size]`: the masked score for padding and for what fills the last block up. */
function keyBiasPerHead(graph: GraphBuilder, site: BlockSite, config: KernelConfig): Value {
  const bias = graph.op('Mul', [graph.op('Sub', [graph.float(1), site.keys.kept]), graph.float(maskedScore[config.type])]);
  const heads = graph.sizes(site.keys.key, 0, 4);
  return graph.op('Expand', [cast(graph, bias, config.type), heads]);
}

/** `[batch, heads, 1, (slots + 1)·size]`. */
function columnBias(graph: GraphBuilder, given: { keyBias: Value; index: Value; slots: Slots }, config: KernelConfig): Value {
  const keys = graph.op('GatherND', [given.keyBias, given.index], { batch_dims: 2 });
  const slotBias = given.slots.bias;
  const both =
    slotBias === undefined ? keys : graph.op('Add', [keys, graph.op('Unsqueeze', [withOwn(graph, slotBias, config), graph.int([-1])])]);
  return graph.op('Reshape', [both, graph.int([0, 0, 1, -1])]);
}

/** A bias per slot with a 0 for the own block appended. */
function withOwn(graph: GraphBuilder, slotBias: Value, config: KernelConfig): Value {
  const pads = graph.int([0, 0, 0, 0, 0, 1]);
  return castBias(graph, graph.op('Pad', [slotBias, pads, graph.float(0)]), config.type);
}

/** The `count` slots of largest score (int64 scalar), a tie going to the lower block. */
export function largestSlots(graph: GraphBuilder, score: Value, count: Value): { score: Value; index: Value } {
  const [values = '', index = ''] = graph.ops(
    'TopK',
    [score, graph.op('Unsqueeze', [count, graph.int([0])])],
    { axis: -1, largest: 1, sorted: 1 },
    2,
  );
  return { score: values, index };
}
