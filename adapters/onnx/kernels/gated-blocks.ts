import type { Shape } from '../../../src/contract/shape.ts';
import type { Parameters } from '../../../src/contract/variant.ts';
import { ceilTimes, complementOf, decimalOf } from '../../../src/variants/decimal.ts';
import { blockMeans } from '../blocks.ts';
import { projectedKeys, projectedQueries } from '../gate.ts';
import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import { elementTypes } from '../../../src/model/graph/element-types.ts';
import type { KernelConfig, KernelInputs } from '../kernel.ts';
import { attendSelectedBlocks, blockSite, largestSlots } from '../selected-blocks.ts';
import type { BlockSite, Slots } from '../selected-blocks.ts';
import { allHeads, runsByTile } from '../tile-runs.ts';
import { biasWhereNegative, cast, countTrue, maskedScore, range, scores, toFloat } from '../tiles.ts';
import { ceilShare } from './topk-tiled.ts';

/** γ of every pair of blocks, f32 `[batch, heads, queryBlocks, keyBlocks]`, the masked score added where a block is no candidate. */
function blockGates(
  graph: GraphBuilder,
  { key }: KernelInputs,
  site: BlockSite,
  gate: NonNullable<KernelInputs['gate']>,
  config: KernelConfig,
): Value {
  const means = blockMeans(graph, key, site.keys, config);
  const queries = projectedQueries(graph, site.speakers, gate.u, config.type);
  const keys = projectedKeys(graph, means, gate.w);
  const logit = graph.op('Add', [scores(graph, queries, keys, 4), graph.op('Unsqueeze', [gate.b, graph.int([1, 2])])]);
  return graph.op('Add', [graph.op('Cast', [logit], { to: elementTypes.f32 }), site.candidates]);
}

/** The gates `[all heads, keyBlocks]` that stay for one block of queries, the most open first, with a bias for slots that a head does not fill. */
function openSlots(graph: GraphBuilder, gates: Value, config: KernelConfig): Slots {
  const open = openCount(graph, gates, config);
  const most = graph.op('ReduceMax', [open], { keepdims: 0 });
  const kept = largestSlots(graph, gates, most);
  const spare = toFloat(graph, graph.op('Sub', [graph.op('Sub', [open, graph.int(1)]), range(graph, most)]));
  const slotGate = cast(graph, kept.score, config.type);
  return {
    index: kept.index,
    ...(isUneven(config) && { bias: biasWhereNegative(graph, spare, 'f32') }),
    correct: (inner, score) => correctKept(inner, score, slotGate, config),
  };
}

/** int64 `[all heads, 1]`: how many blocks stay. */
function openCount(graph: GraphBuilder, gates: Value, config: KernelConfig): Value {
  const { sparsity, tau } = config.parameters;
  const candidate = graph.op('Greater', [gates, graph.float(maskedScore.f32 / 2)]);
  const open =
    tau === undefined
      ? candidate
      : graph.op('And', [candidate, graph.op('GreaterOrEqual', [graph.op('Sigmoid', [gates]), graph.float(Number(tau))])]);
  const count = countTrue(graph, open);
  return tau === undefined ? ceilShare(graph, count, complementOf(decimalOf(Number(sparsity)))) : count;
}

/** Corrects the slots' scores by their gates and leaves the own block's, the last, as they are. */
function correctKept(graph: GraphBuilder, score: Value, slotGate: Value, config: KernelConfig): Value {
  const neutral = config.parameters['form'] === 'multiply' ? 1 : 0;
  const unit =
    config.parameters['form'] === 'multiply'
      ? graph.op('Sigmoid', [slotGate])
      : graph.op('Neg', [graph.op('Softplus', [graph.op('Neg', [slotGate])])]);
  const slots = graph.op('Pad', [unit, graph.int([0, 0, 0, 1]), graph.scalar(neutral, config.type)]);
  return graph.op(neutral === 1 ? 'Mul' : 'Add', [score, graph.op('Unsqueeze', [slots, graph.int([1, 3])])]);
}

/** Whether heads may keep different numbers of blocks: those of one block of queries are taken together, as they otherwise keep equally many. */
function isUneven({ masked, parameters }: KernelConfig): boolean {
  return masked || parameters['tau'] !== undefined;
}

/** One gate for all pairs of two blocks: dropped blocks are neither scored nor read. */
export function blockGated(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const site = blockSite(graph, inputs, Number(config.parameters['block']), config);
  const byBlock = blockGates(graph, inputs, site, inputs.gate!, config);
  const gates = graph.op('Reshape', [byBlock, graph.op('Concat', [graph.int([-1]), graph.sizes(byBlock, 2, 4)], { axis: 0 })]);
  const heads = allHeads(graph, inputs.query, config.heads);
  const runs = runsByTile(graph, { heads, tiles: site.queries.count }, heads);
  const select = (body: GraphBuilder, run: Value) => openSlots(body, body.op('Gather', [gates, run], { axis: 1 }), config);
  return attendSelectedBlocks(graph, inputs, site, { runs, most: site.keys.count, varies: true, select }, config);
}

/** q·k products of all heads: every kept block in full. With `tau` the number kept depends on the data: an upper bound. */
export function blockGatedPairs(parameters: Parameters, shape: Shape): number {
  const block = Number(parameters['block']);
  const share = complementOf(decimalOf(Number(parameters['sparsity'] ?? 0)));
  const total = Math.ceil(shape.keys / block);
  let pairs = 0;
  for (let own = Math.floor((shape.keys - shape.queries) / block); own < total; own++) {
    pairs += (ceilTimes(share, shape.causal ? own : total - 1) + 1) * block * block;
  }
  return shape.batch * shape.heads * pairs;
}
