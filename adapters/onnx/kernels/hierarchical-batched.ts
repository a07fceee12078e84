import { dealHeads, readRatio } from '../../../src/variants/hierarchical/deal.ts';
import type { QueryBlocks } from '../blocks.ts';
import { biasOutside, blockMeans, blockNumbers, clamp, joinBlocks, keyBlocks, patternBias, queryBlocks, tokenBias } from '../blocks.ts';
import type { GraphBuilder, Value } from '../graph.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import type { Lengths } from '../tiles.ts';
import {
  addBiases,
  attend,
  biasWhereNegative,
  cast,
  lengths,
  maskedScore,
  perHead,
  scaled,
  scores,
  toFloat,
  zeroEmptyRows,
} from '../tiles.ts';

interface Sizes {
  readonly local: number;
  readonly region: number;
}

/** The heads of one level: queries in blocks of one region, and their keys. */
interface Level {
  /** `[batch, level's heads, blocks, region, headDim]`, scaled. */
  readonly query: Value;
  /** `[batch, level's heads, keys, headDim]`. */
  readonly key: Value;
  readonly value: Value;
  readonly heads: number;
  readonly mask: Value | undefined;
  readonly blocks: QueryBlocks;
  readonly lengths: Lengths;
  readonly config: KernelConfig;
  readonly sizes: Sizes;
}

/** Keys gathered for each region: `[batch, heads, blocks, columns, headDim]`, and f32 `[…, blocks, 1, columns]` added to their scores. */
interface Columns {
  readonly key: Value;
  readonly value: Value;
  readonly bias: Value;
}

/** Exact keys at positions region·block + from … + count − 1; outside the sequence, and under padding, they are masked. */
function exactColumns(graph: GraphBuilder, level: Level, from: number, count: number): Columns {
  const start = graph.op('Mul', [blockNumbers(graph, level.blocks), graph.int(level.sizes.region)]);
  const column = graph.int(Array.from({ length: count }, (_, index) => from + index));
  const index = graph.op('Add', [graph.op('Unsqueeze', [start, graph.int([1])]), column]);
  const inside = clamp(graph, index, level.lengths.keys);
  const outside = graph.op('Unsqueeze', [biasOutside(graph, index, level.lengths.keys), graph.int([0, 1, 3])]);
  const gather = (tensor: Value) => graph.op('Gather', [tensor, inside], { axis: 2 });
  if (level.mask === undefined) return { key: gather(level.key), value: gather(level.value), bias: outside };
  const kept = toFloat(graph, graph.op('Gather', [level.mask, inside], { axis: 1 }));
  const padding = graph.op('Mul', [graph.op('Sub', [graph.float(1), kept]), graph.float(maskedScore.f32)]);
  const bias = graph.op('Min', [outside, graph.op('Unsqueeze', [padding, graph.int([1, 3])])]);
  return { key: gather(level.key), value: gather(level.value), bias };
}

/** Means of blocks of `size` keys, `[batch, heads, count, headDim]`, and ln(tokens), `[batch or 1, 1, count]`. */
function pooled(graph: GraphBuilder, level: Level, size: number) {
  const source = { key: level.key, value: level.value, mask: level.mask, lengths: level.lengths, heads: level.heads };
  const blocks = keyBlocks(graph, source, size, level.config);
  const mean = (tensor: Value) => blockMeans(graph, tensor, blocks, level.config);
  return { key: mean(blocks.key), value: mean(blocks.value), bias: tokenBias(graph, blocks.tokens), count: blocks.count };
}

function localHeads(graph: GraphBuilder, level: Level): Value {
  const { local, region } = level.sizes;
  const { causal, type, masked } = level.config;
  const before = causal ? local - 1 : Math.floor(local / 2);
  const after = causal ? 0 : before;
  const columns = exactColumns(graph, level, -before, region + before + after);
  const near = patternBias(
    graph,
    { rows: region, columns: region + before + after },
    (row, column) => column >= row && column <= row + before + after,
    'f32',
  );
  const bias = cast(graph, graph.op('Min', [columns.bias, near]), type);
  return attend(graph, { score: scores(graph, level.query, columns.key, 5), bias, value: columns.value, mayBeEmpty: masked }, type);
}

/** Scores of the own region's exact keys, and which of them a row sees: its own block of `local`, or the whole region. */
function ownRegion(graph: GraphBuilder, level: Level, block: number): { columns: Columns; bias: Value } {
  const { region } = level.sizes;
  const columns = exactColumns(graph, level, 0, region);
  const sees = (row: number, column: number) =>
    Math.floor(row / block) === Math.floor(column / block) && (!level.config.causal || column <= row);
  return { columns, bias: graph.op('Min', [columns.bias, patternBias(graph, { rows: region, columns: region }, sees, 'f32')]) };
}

function regionalHeads(graph: GraphBuilder, level: Level): Value {
  const { local, region } = level.sizes;
  const { causal, type, masked } = level.config;
  const perRegion = region / local;
  const count = causal ? 2 * perRegion : 3 * perRegion;
  const own = ownRegion(graph, level, local);
  const means = pooled(graph, level, local);
  const first = graph.op('Mul', [graph.op('Sub', [blockNumbers(graph, level.blocks), graph.int(1)]), graph.int(perRegion)]);
  const column = graph.int(Array.from({ length: count }, (_, index) => index));
  const index = graph.op('Add', [graph.op('Unsqueeze', [first, graph.int([1])]), column]);
  const inside = clamp(graph, index, means.count);
  const gather = (tensor: Value) => graph.op('Gather', [tensor, inside], { axis: 2 });
  const outside = graph.op('Unsqueeze', [biasOutside(graph, index, means.count), graph.int([0, 1, 3])]);
  const tokens = graph.op('Unsqueeze', [gather(means.bias), graph.int([3])]);
  const others = patternBias(
    graph,
    { rows: region, columns: count },
    (row, at) => {
      const ahead = Math.floor(row / local) + perRegion - at;
      return causal ? ahead > 0 : ahead !== 0;
    },
    'f32',
  );
  const far = addBiases(graph, graph.op('Min', [outside, others]), tokens)!;
  const target = graph.op('Shape', [far], { start: 0, end: 4 });
  const near = graph.op('Expand', [own.bias, graph.op('Concat', [target, graph.int([region])], { axis: 0 })]);
  const bias = cast(graph, graph.op('Concat', [near, far], { axis: -1 }), type);
  const key = graph.op('Concat', [own.columns.key, gather(means.key)], { axis: 3 });
  const value = graph.op('Concat', [own.columns.value, gather(means.value)], { axis: 3 });
  return attend(graph, { score: scores(graph, level.query, key, 5), bias, value, mayBeEmpty: masked }, type);
}

function globalHeads(graph: GraphBuilder, level: Level): Value {
  const { region } = level.sizes;
  const { causal, type, masked } = level.config;
  const own = ownRegion(graph, level, region);
  const means = pooled(graph, level, region);
  const index = toFloat(graph, graph.op('Range', [graph.int(0), means.count, graph.int(1)]));
  const home = toFloat(graph, graph.op('Unsqueeze', [blockNumbers(graph, level.blocks), graph.int([1])]));
  const ahead = graph.op('Sub', [home, index]);
  const distance = graph.op('Sub', [causal ? ahead : graph.op('Abs', [ahead]), graph.float(1)]);
  const others = graph.op('Unsqueeze', [biasWhereNegative(graph, distance, 'f32'), graph.int([0, 1, 3])]);
  const far = graph.op('Add', [others, graph.op('Unsqueeze', [means.bias, graph.int([2, 3])])]);
  const perRegion = (tensor: Value) => graph.op('Unsqueeze', [tensor, graph.int([2])]);
  const score = (key: Value, bias: Value) => graph.op('Add', [scores(graph, level.query, key, 5), cast(graph, bias, type)]);
  const both = graph.op('Concat', [score(own.columns.key, own.bias), score(perRegion(means.key), far)], { axis: -1 });
  const weight = graph.op('Softmax', [both], { axis: -1 });
  const sizes = graph.op('Concat', [graph.int([region]), graph.op('Unsqueeze', [means.count, graph.int([0])])], { axis: 0 });
  const [near = '', distant = ''] = graph.ops('Split', [weight, sizes], { axis: -1 }, 2);
  const nearOutput = graph.op('MatMul', [near, own.columns.value]);
  const output = graph.op('Add', [nearOutput, graph.op('MatMul', [distant, perRegion(means.value)])]);
  if (!masked) return output;
  const best = (bias: Value) => graph.op('ReduceMax', [bias, graph.int([-1])], { keepdims: 1 });
  return zeroEmptyRows(graph, output, cast(graph, graph.op('Max', [best(own.bias), best(far)]), type), type);
}

const builders = [localHeads, regionalHeads, globalHeads] as const;

function build(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const sizes = { local: Number(config.parameters['local']), region: Number(config.parameters['region']) };
  const at = { lengths: lengths(graph, inputs), size: sizes.region };
  const blocks = queryBlocks(graph, scaled(graph, inputs.query, config), at, config);
  const key = perHead(graph, inputs.key, config);
  const value = perHead(graph, inputs.value, config);
  const outputs: Value[] = [];
  let first = 0;
  for (const [index, heads] of dealHeads(config.heads, readRatio(String(config.parameters['ratio']))).entries()) {
    if (heads === 0) continue;
    const cut = (tensor: Value) =>
      heads === config.heads ? tensor : graph.op('Slice', [tensor, graph.int([first]), graph.int([first + heads]), graph.int([1])]);
    const level = {
      query: cut(blocks.query),
      key: cut(key),
      value: cut(value),
      heads,
      mask: inputs.mask,
      blocks,
      lengths: at.lengths,
      config,
      sizes,
    };
    outputs.push(builders[index]!(graph, level));
    first += heads;
  }
  const joined = outputs.length === 1 ? outputs[0]! : graph.op('Concat', outputs, { axis: 1 });
  return joinBlocks(graph, joined, blocks, { lengths: at.lengths, heads: config.heads, headDim: config.headDim });
}

/** Regions of queries in one batch of small products a level: near keys gathered, far ones as means. */
export const hierarchicalBatched: OnnxKernel = {
  variant: 'hierarchical',
  kernel: 'batched',
  summary: 'each level as one batch of small products over regions',
  scoredPairs(parameters, shape) {
    const [local, region] = [Number(parameters['local']), Number(parameters['region'])];
    const [near = 0, regional = 0, global = 0] = dealHeads(shape.heads, readRatio(String(parameters['ratio'])));
    const regions = Math.ceil(shape.keys / region);
    const rows = (regions - Math.floor((shape.keys - shape.queries) / region)) * region;
    const reach = shape.causal ? local - 1 : 2 * Math.floor(local / 2);
    const regionalColumns = region + ((shape.causal ? 2 : 3) * region) / local;
    return shape.batch * rows * (near * (region + reach) + regional * regionalColumns + global * (region + regions));
  },
  build,
};
