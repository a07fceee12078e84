import { complementOf, decimalOf } from '../../../src/variants/decimal.ts';
import { gatesQueries } from '../../../src/variants/gated/parameters.ts';
import { projectedKeys, projectedQueries } from '../gate.ts';
import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import { elementTypes } from '../../../src/model/graph/element-types.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import { addBiases, attend, biasOfMask, maskedScore, overQueryTiles, perHead, scaled, scores } from '../tiles.ts';
import type { VisibleKeys } from './dense-tiled.ts';
import { keySource, tiledPairs, visibleKeys } from './dense-tiled.ts';
import { blockGated, blockGatedPairs } from './gated-blocks.ts';
import { queryGated, queryGatedPairs } from './gated-queries.ts';
import { keepShare } from './topk-tiled.ts';

const tile = 128;

/** s·g or s + ln g. ln sigmoid(γ) = −softplus(−γ). */
function corrected(graph: GraphBuilder, score: Value, gate: Value, form: unknown): Value {
  if (form === 'multiply') return graph.op('Mul', [score, graph.op('Sigmoid', [gate])]);
  return graph.op('Sub', [score, graph.op('Softplus', [graph.op('Neg', [gate])])]);
}

/** 0 for pairs whose gate stays, the masked score for those that are dropped. */
function droppedBias(graph: GraphBuilder, gate: Value, visible: VisibleKeys, config: KernelConfig): Value | undefined {
  const { sparsity, tau } = config.parameters;
  if (tau === undefined && Number(sparsity) === 0) return undefined;
  const allowed = visible.bias === undefined ? gate : graph.op('Add', [gate, visible.bias]);
  if (tau !== undefined) return belowThreshold(graph, allowed, Number(tau), config);
  const kept = keepShare(graph, { score: allowed, visible, share: complementOf(decimalOf(Number(sparsity))) }, config);
  const removed = graph.op('Expand', [graph.scalar(maskedScore[config.type], config.type), graph.op('Shape', [gate])]);
  const stays = graph.op('Greater', [kept.score, graph.scalar(maskedScore[config.type] / 2, config.type)]);
  const update = biasOfMask(graph, stays, config.type);
  return graph.op('ScatterElements', [removed, kept.index, update], { axis: -1 });
}

/** Drops gates below tau, but never a row's largest. */
function belowThreshold(graph: GraphBuilder, gate: Value, tau: number, config: KernelConfig): Value {
  const open = graph.op('GreaterOrEqual', [graph.op('Sigmoid', [gate]), graph.scalar(tau, config.type)]);
  const largest = graph.op('ArgMax', [gate], { axis: -1, keepdims: 1 });
  const one = graph.op('Expand', [graph.float(1), graph.op('Shape', [largest])]);
  const marks = graph.op('Cast', [open], { to: elementTypes.f32 });
  const withLargest = graph.op('ScatterElements', [marks, largest, one], { axis: -1 });
  return biasOfMask(graph, graph.op('Greater', [withLargest, graph.float(0.5)]), config.type);
}

function buildElementwise(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const { u, w, b } = inputs.gate!;
  const source = keySource(graph, inputs, config);
  const queries = graph.op('Concat', [scaled(graph, inputs.query, config), projectedQueries(graph, inputs.query, u, config.type)], {
    axis: -1,
  });
  const keys = graph.op('Concat', [source.key, projectedKeys(graph, perHead(graph, inputs.key, config), w)], { axis: -1 });
  const offset = graph.op('Unsqueeze', [b, graph.int([1, 2])]);
  const split = (body: GraphBuilder, tensor: Value) => {
    const sizes = body.op('Concat', [body.int([config.headDim]), body.sizes(u, 2, 3)], { axis: 0 });
    return body.ops('Split', [tensor, sizes], { axis: -1 }, 2);
  };
  return overQueryTiles(graph, { query: queries, lengths: source.lengths, tile, config }, (body, rows) => {
    const visible = visibleKeys(body, rows, { ...source, key: keys }, config);
    const [query = '', gateQuery = ''] = split(body, rows.query);
    const [key = '', gateKey = ''] = split(body, visible.key);
    const gate = body.op('Add', [scores(body, gateQuery, gateKey, 4), offset]);
    const score = corrected(body, scores(body, query, key, 4), gate, config.parameters['form']);
    const bias = addBiases(body, visible.bias, droppedBias(body, gate, visible, config));
    return attend(body, { score, bias, value: visible.value, mayBeEmpty: true }, config.type);
  });
}

/** Gated attention: pair by pair over tiles of queries; with `block` > 1, over the kept blocks alone; or the open queries alone. */
export const gatedTiled: OnnxKernel = {
  variant: 'gated',
  kernel: 'tiled',
  summary: `block=1: tiles of ${tile} queries with n²·rank/d extra products; block>1: kept blocks only; form=query or output: open queries only`,
  scoredPairs(parameters, shape) {
    if (gatesQueries(parameters['form'])) return queryGatedPairs(parameters, shape);
    return Number(parameters['block']) === 1 ? shape.batch * shape.heads * tiledPairs(shape, tile) : blockGatedPairs(parameters, shape);
  },
  build(graph, inputs, config) {
    if (gatesQueries(config.parameters['form'])) return queryGated(graph, inputs, config);
    return Number(config.parameters['block']) === 1 ? buildElementwise(graph, inputs, config) : blockGated(graph, inputs, config);
  },
};
