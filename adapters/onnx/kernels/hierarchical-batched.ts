import { kvHeadOf } from '../../../src/contract/shape.ts';
import { dealHeads, readRatio } from '../../../src/variants/hierarchical/deal.ts';
import type { BlockSpan } from '../blocks.ts';
import { biasOutside, blockNumbers, blockSpan, clamp, isWithin, joinBlocks, patternBias, tokenBias } from '../blocks.ts';
import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import type { Lengths } from '../tiles.ts';
import {
  attend,
  biasWhereNegative,
  cast,
  castBias,
  ceilDivide,
  floored,
  lengths,
  maskedScore,
  range,
  scaled,
  scores,
  toFloat,
  zeroEmptyRows,
} from '../tiles.ts';

/** ONNX's Slice cuts an end beyond the axis to its length. */
const endOfAxis = 2 ** 31 - 1;

interface Sizes {
  readonly local: number;
  readonly region: number;
}

/** The heads of one level: queries in blocks of one region, and their keys. */
interface Level {
  /** `[batch, level's heads, blocks, region, headDim]`. */
  readonly query: Value;
  readonly key: HeadTokens;
  readonly value: HeadTokens;
  readonly heads: number;
  readonly mask: Value | undefined;
  readonly blocks: BlockSpan;
  readonly lengths: Lengths;
  readonly config: KernelConfig;
  readonly sizes: Sizes;
}

/** The tokens of a level's heads, read where they lie: slicing the heads out first would cost a copy. */
interface HeadTokens {
  /** `[batch, all heads, tokens, headDim]`. */
  readonly tensor: Value;
  /** The tensor's head that each head of the level reads. */
  readonly heads: readonly number[];
}

/** Tokens at int64 `index` `[…]`: `[batch, level's heads, …, headDim]`. */
function tokensAt(graph: GraphBuilder, { tensor, heads }: HeadTokens, index: Value, config: KernelConfig): Value {
  const length = graph.sizes(tensor, 2, 3);
  const start = graph.op('Mul', [graph.op('Unsqueeze', [graph.int(heads), graph.int([1, 2])]), length]);
  const flat = graph.op('Reshape', [tensor, graph.int([0, -1, config.headDim])]);
  return graph.op('Gather', [flat, graph.op('Add', [start, index])], { axis: 1 });
}

/** Blocks of tokens: `[batch, heads, blocks, size, headDim]`, and f32 `[batch or 1, 1, blocks, size]`, 1 for a real, unpadded key. */
interface Tokens {
  readonly key: Value;
  readonly value: Value;
  readonly kept: Value;
}

/** Exact keys of each block, and f32 `[batch or 1, 1, blocks, 1, columns]` added to their scores. */
interface Columns extends Tokens {
  readonly bias: Value;
}

/** f32, 1 for a real, unpadded key at int64 `index` `[blocks, columns]`, else 0: `[batch or 1, 1, blocks, columns]`. */
function keptAt(graph: GraphBuilder, level: Level, index: Value): Value {
  const real = graph.op('Unsqueeze', [isWithin(graph, index, level.lengths.keys), graph.int([0, 1])]);
  if (level.mask === undefined) return real;
  const unpadded = toFloat(graph, graph.op('Gather', [level.mask, clamp(graph, index, level.lengths.keys)], { axis: 1 }));
  return graph.op('Min', [real, graph.op('Unsqueeze', [unpadded, graph.int([1])])]);
}

/** int64 `[blocks, count]`: positions from `from` on, counted from the start of each block of `size` queries. */
function positionsAround(graph: GraphBuilder, level: Level, size: number, from: number, count: number): Value {
  const at = (block: Value) => graph.op('Mul', [block, graph.int(level.sizes.region)]);
  const end = graph.op('Add', [level.blocks.first, level.blocks.count]);
  const start = graph.op('Range', [at(level.blocks.first), at(end), graph.int(size)]);
  const column = graph.int(Array.from({ length: count }, (_, index) => from + index));
  return graph.op('Add', [graph.op('Unsqueeze', [start, graph.int([1])]), column]);
}

/** Exact keys from `from` on around each block of `size` queries; outside the sequence, and under padding, they are masked. */
function exactColumns(graph: GraphBuilder, level: Level, size: number, from: number, count: number): Columns {
  const tokens = tokensOf(graph, level, positionsAround(graph, level, size, from, count));
  const masked = graph.op('Sub', [graph.float(1), tokens.kept]);
  const bias = graph.op('Unsqueeze', [graph.op('Mul', [masked, graph.float(maskedScore.f32)]), graph.int([3])]);
  return { ...tokens, bias };
}

/** At int64 `index` `[blocks, size]`, held within the sequence. */
function tokensOf(graph: GraphBuilder, level: Level, index: Value): Tokens {
  const inside = clamp(graph, index, level.lengths.keys);
  const gather = (tokens: HeadTokens) => tokensAt(graph, tokens, inside, level.config);
  return { key: gather(level.key), value: gather(level.value), kept: keptAt(graph, level, index) };
}

/** All blocks of `size` keys. Where queries and keys are the same tokens, they are the blocks that queries have as their own. */
function allBlocks(graph: GraphBuilder, level: Level, size: number, own: Tokens): Tokens & { count: Value } {
  const { region } = level.sizes;
  if (level.config.selfAttention) return { ...own, count: graph.op('Mul', [level.blocks.count, graph.int(region / size)]) };
  const count = ceilDivide(graph, level.lengths.keys, size);
  const start = graph.op('Range', [graph.int(0), graph.op('Mul', [count, graph.int(size)]), graph.int(size)]);
  return { ...tokensOf(graph, level, graph.op('Add', [graph.op('Unsqueeze', [start, graph.int([1])]), range(graph, size)])), count };
}

/** Means of blocks of `size` keys, `[batch, heads, count, headDim]`, summed in f32, and ln(tokens), f32 `[batch or 1, 1, count]`. */
function pooled(graph: GraphBuilder, level: Level, size: number, own: Tokens) {
  const { key, value, kept, count } = allBlocks(graph, level, size, own);
  const tokens = graph.op('ReduceSum', [kept, graph.int([-1])], { keepdims: 1 });
  const share = graph.op('Unsqueeze', [graph.op('Div', [kept, graph.op('Max', [tokens, graph.float(1)])]), graph.int([3])]);
  const mean = (rows: Value) => {
    const product = graph.op('MatMul', [share, level.config.type === 'f32' ? rows : toFloat(graph, rows)]);
    return cast(graph, graph.op('Squeeze', [product, graph.int([3])]), level.config.type);
  };
  const bias = tokenBias(graph, graph.op('Squeeze', [tokens, graph.int([3])]));
  return { key: mean(key), value: mean(value), bias, count };
}

function localHeads(graph: GraphBuilder, level: Level): Value {
  const { local, region } = level.sizes;
  const { causal, type, masked, headDim } = level.config;
  const before = causal ? local - 1 : Math.floor(local / 2);
  const rows = localTile(region);
  const size = { rows, columns: rows + before + (causal ? 0 : before) };
  const columns = exactColumns(graph, level, rows, -before, size.columns);
  const near = patternBias(graph, size, (row, column) => column >= row && column <= row + size.columns - rows, 'f32');
  const bias = castBias(graph, graph.op('Min', [columns.bias, near]), type);
  const query = graph.op('Reshape', [level.query, graph.int([0, level.heads, -1, rows, headDim])]);
  const score = scores(graph, scaled(graph, query, level.config), columns.key, 5);
  const output = attend(graph, { score, bias, value: columns.value, mayBeEmpty: masked, manyMasked: true }, type);
  return graph.op('Reshape', [output, graph.int([0, level.heads, -1, region, headDim])]);
}

/** Queries that local heads take at a time: at most 16, for wider tiles score more masked keys than they save calls, dividing the region. */
function localTile(region: number): number {
  return Math.max(...Array.from({ length: 16 }, (_, index) => index + 1).filter((rows) => region % rows === 0));
}

/** Means that the queries of a region see: `[batch, heads, regions or 1, columns, headDim]`, and f32 `[…, region or 1, columns]`. */
interface Far {
  readonly key: Value;
  readonly value: Value;
  readonly bias: Value;
}

/** One softmax over each query's own block of `size` exact keys and the far means, scored apart, so that no keys are copied together. */
function ownAndFar(graph: GraphBuilder, level: Level, size: number, own: Columns, far: Far): Value {
  const { region } = level.sizes;
  const { causal, type, masked, headDim } = level.config;
  const seen = patternBias(graph, { rows: size, columns: size }, (row, column) => !causal || column <= row, 'f32');
  const ownBias = graph.op('Min', [own.bias, seen]);
  const query = scaled(graph, level.query, level.config);
  const bySize = (tensor: Value, last: number) => graph.op('Reshape', [tensor, graph.int([0, level.heads, -1, size, last])]);
  const byRegion = (tensor: Value, last: number) => graph.op('Reshape', [tensor, graph.int([0, level.heads, -1, region, last])]);
  const add = (score: Value, bias: Value) => graph.op('Add', [score, castBias(graph, bias, type)]);
  const ownScore = byRegion(add(scores(graph, bySize(query, headDim), own.key, 5), ownBias), size);
  const score = graph.op('Concat', [ownScore, add(scores(graph, query, far.key, 5), far.bias)], { axis: -1 });
  const weight = graph.op('Softmax', [floored(graph, score, type)], { axis: -1 });
  const cut = (from: number, to: number) => graph.op('Slice', [weight, graph.int([from]), graph.int([to]), graph.int([4])]);
  const near = graph.op('MatMul', [bySize(cut(0, size), size), own.value]);
  const output = graph.op('Add', [byRegion(near, headDim), graph.op('MatMul', [cut(size, endOfAxis), far.value])]);
  if (!masked) return output;
  const best = (bias: Value) => graph.maximum(bias, [-1]);
  const bestOwn = graph.op('Reshape', [best(ownBias), graph.int([0, 1, -1, region, 1])]);
  return zeroEmptyRows(graph, output, castBias(graph, graph.op('Max', [bestOwn, best(far.bias)]), type), type);
}

function regionalHeads(graph: GraphBuilder, level: Level): Value {
  const { local, region } = level.sizes;
  const { causal } = level.config;
  const perRegion = region / local;
  const count = causal ? 2 * perRegion : 3 * perRegion;
  const own = exactColumns(graph, level, local, 0, local);
  const means = pooled(graph, level, local, own);
  const first = graph.op('Mul', [graph.op('Sub', [blockNumbers(graph, level.blocks), graph.int(1)]), graph.int(perRegion)]);
  const index = graph.op('Add', [graph.op('Unsqueeze', [first, graph.int([1])]), range(graph, count)]);
  const inside = clamp(graph, index, means.count);
  const gather = (tensor: Value) => graph.op('Gather', [tensor, inside], { axis: 2 });
  const outside = graph.op('Unsqueeze', [biasOutside(graph, index, means.count), graph.int([0, 1, 3])]);
  const others = patternBias(
    graph,
    { rows: region, columns: count },
    (row, at) => {
      const ahead = Math.floor(row / local) + perRegion - at;
      return causal ? ahead > 0 : ahead !== 0;
    },
    'f32',
  );
  const tokens = graph.op('Unsqueeze', [gather(means.bias), graph.int([3])]);
  const bias = graph.op('Add', [graph.op('Min', [outside, others]), tokens]);
  return ownAndFar(graph, level, local, own, { key: gather(means.key), value: gather(means.value), bias });
}

function globalHeads(graph: GraphBuilder, level: Level): Value {
  const { region } = level.sizes;
  const own = exactColumns(graph, level, region, 0, region);
  const means = pooled(graph, level, region, own);
  const index = toFloat(graph, range(graph, means.count));
  const home = toFloat(graph, graph.op('Unsqueeze', [blockNumbers(graph, level.blocks), graph.int([1])]));
  const ahead = graph.op('Sub', [home, index]);
  const distance = graph.op('Sub', [level.config.causal ? ahead : graph.op('Abs', [ahead]), graph.float(1)]);
  const others = graph.op('Unsqueeze', [biasWhereNegative(graph, distance, 'f32'), graph.int([0, 1, 3])]);
  const bias = graph.op('Add', [others, graph.op('Unsqueeze', [means.bias, graph.int([2, 3])])]);
  const perRegion = (tensor: Value) => graph.op('Unsqueeze', [tensor, graph.int([2])]);
  return ownAndFar(graph, level, region, own, { key: perRegion(means.key), value: perRegion(means.value), bias });
}

const builders = [localHeads, regionalHeads, globalHeads] as const;

function build(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const sizes = { local: Number(config.parameters['local']), region: Number(config.parameters['region']) };
  const at = { lengths: lengths(graph, inputs), size: sizes.region };
  const blocks = blockSpan(graph, at);
  const rows = graph.op('Reshape', [blocks.rows, graph.int([-1, sizes.region])]);
  const outputs: Value[] = [];
  let first = 0;
  for (const [index, heads] of dealHeads(config.heads, readRatio(String(config.parameters['ratio']))).entries()) {
    if (heads === 0) continue;
    const own = Array.from({ length: heads }, (_, head) => first + head);
    const shared = own.map((head) => kvHeadOf(config, head));
    const level = {
      query: tokensAt(graph, { tensor: inputs.query, heads: own }, rows, config),
      key: { tensor: inputs.key, heads: shared },
      value: { tensor: inputs.value, heads: shared },
      heads,
      mask: inputs.mask,
      blocks,
      lengths: at.lengths,
      config,
      sizes,
    };
    outputs.push(graph.op('Reshape', [builders[index]!(graph, level), graph.int([0, heads, -1, config.headDim])]));
    first += heads;
  }
  const joined = (inner: GraphBuilder) => (outputs.length === 1 ? outputs[0]! : inner.op('Concat', outputs, { axis: 1 }));
  const { headDim, type } = config;
  // Whole regions need no trimming, which would copy the output.
  const isWhole = graph.op('Equal', [graph.op('Mul', [blocks.count, graph.int(sizes.region)]), at.lengths.queries]);
  return graph.branch(isWhole, type, {
    yes: joined,
    no: (inner) => joinBlocks(inner, joined(inner), blocks, { lengths: at.lengths, heads: config.heads, headDim }),
  });
}

/** Blocks of queries in batches of small products: near keys gathered, far ones as means. */
export const hierarchicalBatched: OnnxKernel = {
  variant: 'hierarchical',
  kernel: 'batched',
  summary: 'each level as batches of small products; distant means scored separately from near keys',
  scoredPairs(parameters, shape) {
    const [local, region] = [Number(parameters['local']), Number(parameters['region'])];
    const [near = 0, regional = 0, global = 0] = dealHeads(shape.heads, readRatio(String(parameters['ratio'])));
    const regions = Math.ceil(shape.keys / region);
    const rows = (regions - Math.floor((shape.keys - shape.queries) / region)) * region;
    const reach = shape.causal ? local - 1 : 2 * Math.floor(local / 2);
    const regionalColumns = local + ((shape.causal ? 2 : 3) * region) / local;
    return shape.batch * rows * (near * (localTile(region) + reach) + regional * regionalColumns + global * (region + regions));
  },
  build,
};
