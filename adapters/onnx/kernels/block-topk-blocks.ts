import { blockMeans } from '../blocks.ts';
import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import { elementTypes } from '../../../src/model/graph/element-types.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import { attendSelectedBlocks, blockSite, largestSlots } from '../selected-blocks.ts';
import type { BlockSite } from '../selected-blocks.ts';
import { allHeads, runsByHead } from '../tile-runs.ts';
import { biasWhereNegative, maskedScore, range, scaled, scores, toFloat, vector } from '../tiles.ts';

/** Scores of one run: 1 MB in f32, about what a core's own cache takes beside the keys and values. */
const scoresAtOnce = 2 ** 18;

/** Far above any score, so that block 0 is taken first. */
const always = -maskedScore.f32 / 8;

/** f32 `[batch, heads, queryBlocks, keyBlocks]`: c·speaker·mean key; block 0 above all, no candidates below all. */
function blockScores(graph: GraphBuilder, key: Value, site: BlockSite, config: KernelConfig): Value {
  const means = blockMeans(graph, key, site.keys, config);
  const score = graph.op('Cast', [scores(graph, scaled(graph, site.speakers, config), means, 4)], { to: elementTypes.f32 });
  const index = toFloat(graph, range(graph, site.keys.count));
  const first = graph.op('Mul', [graph.op('Sub', [graph.float(1), graph.op('Min', [index, graph.float(1)])]), graph.float(always)]);
  return graph.op('Add', [graph.op('Add', [score, first]), site.candidates]);
}

/** 1 where a block of queries has an own block to keep beside the chosen ones: int64 `[batch or 1, 1, queryBlocks, 1]`. */
function ownBlocks(graph: GraphBuilder, site: BlockSite): Value {
  const tokens = graph.op('Gather', [site.keys.tokens, site.own], { axis: 2 });
  return graph.op('Cast', [graph.op('Unsqueeze', [graph.op('Min', [tokens, graph.float(1)]), graph.int([3])])], { to: elementTypes.i64 });
}

function build(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const blocks = Number(config.parameters['blocks']);
  const site = blockSite(graph, inputs, Number(config.parameters['block']), config);
  // Where padding may empty the own block, another takes its place.
  const most = graph.op('Min', [site.keys.count, graph.int(config.masked ? blocks : blocks - 1)]);
  const chosen = largestSlots(graph, blockScores(graph, inputs.key, site, config), most);
  const candidate = graph.op('Add', [graph.op('Mul', [chosen.score, graph.float(1)]), graph.float(-maskedScore.f32 / 2)]);
  const slotBias = graph.op('Mul', [graph.op('Clip', [candidate, graph.float(-1), graph.float(0)]), graph.float(-maskedScore.f32)]);
  const spare = graph.op('Sub', [graph.op('Sub', [graph.int(blocks - 1), ownBlocks(graph, site)]), range(graph, most)]);
  const bias = config.masked ? graph.op('Min', [slotBias, biasWhereNegative(graph, toFloat(graph, spare), 'f32')]) : slotBias;
  const size = site.keys.size;
  const tiles = { heads: allHeads(graph, inputs.query, config.heads), tiles: site.queries.count };
  const runs = runsByHead(graph, tiles, Math.max(1, Math.floor(scoresAtOnce / (size * size * blocks))));
  const bySlot = (tensor: Value) => graph.op('Reshape', [tensor, graph.op('Concat', [graph.int([-1]), vector(graph, most)], { axis: 0 })]);
  const [index, unwanted] = [bySlot(chosen.index), bySlot(bias)];
  const select = (body: GraphBuilder, _: Value, number: Value) => ({
    index: body.op('Gather', [index, number], { axis: 0 }),
    bias: body.op('Gather', [unwanted, number], { axis: 0 }),
  });
  return attendSelectedBlocks(graph, inputs, site, { runs, most, varies: false, select }, config);
}

/** Block-sparse attention by block scores: each block of queries reads `blocks` blocks of keys, gathered. */
export const blockTopkBlocks: OnnxKernel = {
  variant: 'block-topk',
  kernel: 'blocks',
  summary: 'scores block means, then gathers and attends to the chosen blocks',
  scoredPairs(parameters, { batch, heads, queries, keys }) {
    const block = Number(parameters['block']);
    const total = Math.ceil(keys / block);
    const queryBlocks = total - Math.floor((keys - queries) / block);
    const slots = Math.min(total, Number(parameters['blocks']) - 1) + 1;
    return batch * heads * queryBlocks * (slots * block * block + total);
  },
  build,
};
