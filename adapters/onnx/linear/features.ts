import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import { leastLength } from '../../../src/variants/linear/features.ts';
import type { LinearSettings } from '../../../src/variants/linear/parameters.ts';
import type { KernelConfig, KernelInputs } from '../kernel.ts';
import { lengths, shape, slice, toFloat } from '../tiles.ts';
import type { Lengths } from '../tiles.ts';

/** What the state is changed and read by, in f32 whatever the inputs are: sums over all keys would not fit f16. */
export interface LinearSource {
  /** φ(q), times the scale where the output is not divided by its weights: `[batch, heads, queries, headDim]`. */
  readonly query: Value;
  /** φ(k), 0 where padded: `[batch, kvHeads, keys, headDim]`. */
  readonly key: Value;
  /** `[batch, kvHeads, keys, headDim]`. */
  readonly value: Value;
  readonly lengths: Lengths;
}

export function linearSource(graph: GraphBuilder, inputs: KernelInputs, settings: LinearSettings, config: KernelConfig): LinearSource {
  const single = (tensor: Value) => (config.type === 'f32' ? tensor : toFloat(graph, tensor));
  const key = features(graph, single(inputs.key), settings, 1);
  const kept = inputs.mask && graph.op('Unsqueeze', [toFloat(graph, inputs.mask), graph.int([1, 3])]);
  return {
    query: features(graph, single(inputs.query), settings, settings.normalized ? 1 : config.scale),
    key: kept === undefined ? key : graph.op('Mul', [key, kept]),
    value: single(inputs.value),
    lengths: lengths(graph, inputs),
  };
}

/** φ(x)·scale, along the last axis. */
function features(graph: GraphBuilder, tensor: Value, { map, unitLength }: LinearSettings, scale: number): Value {
  const mapped = mapFeatures(graph, tensor, map);
  if (!unitLength) return scale === 1 ? mapped : graph.op('Mul', [mapped, graph.float(scale)]);
  const length = graph.op('Max', [graph.euclidean(mapped, [-1]), graph.float(leastLength)]);
  return graph.op('Div', [mapped, scale === 1 ? length : graph.op('Mul', [length, graph.float(1 / scale)])]);
}

function mapFeatures(graph: GraphBuilder, tensor: Value, map: LinearSettings['map']): Value {
  if (map === 'identity') return tensor;
  if (map === 'relu') return graph.op('Relu', [tensor]);
  return graph.op('Add', [graph.op('Elu', [tensor]), graph.float(1)]);
}

/** Queries where they stand on the keys' axis: as many rows as keys, zeros where there is no query. */
export function alignQueries(graph: GraphBuilder, { query, lengths: { queries, offset } }: LinearSource, config: KernelConfig): Value {
  if (config.selfAttention) return query;
  const seen = slice(graph, query, atLeastZero(graph, graph.op('Neg', [offset])), queries, 2);
  return graph.op('Concat', [zeroRows(graph, query, atLeastZero(graph, offset), config), seen], { axis: 2 });
}

/** What {@link alignQueries} did, undone: rows of queries before the first key are zeros. */
export function restoreQueries(
  graph: GraphBuilder,
  output: Value,
  { query, lengths: { keys, offset } }: LinearSource,
  config: KernelConfig,
): Value {
  if (config.selfAttention) return output;
  const seen = slice(graph, output, atLeastZero(graph, offset), keys, 2);
  const before = zeroRows(graph, query, atLeastZero(graph, graph.op('Neg', [offset])), config);
  return graph.op('Concat', [before, seen], { axis: 2 });
}

function atLeastZero(graph: GraphBuilder, value: Value): Value {
  return graph.op('Max', [value, graph.int(0)]);
}

/** `[batch, heads, rows, headDim]` of zeros, for a tensor like `query`. */
function zeroRows(graph: GraphBuilder, query: Value, rows: Value, { headDim }: KernelConfig): Value {
  const dims = graph.op('Concat', [graph.sizes(query, 0, 2), shape(graph, [rows, headDim])], { axis: 0 });
  return graph.op('Expand', [graph.float(0), dims]);
}

/** What is read from the state over the sum of its weights: where no weight is above 0 there is nothing to divide, and zeros stay zeros. */
export function divideByWeights(graph: GraphBuilder, read: Value, sum: Value): Value {
  const leastNormal = 2 ** -126;
  return graph.op('Div', [read, graph.op('Max', [sum, graph.float(leastNormal)])]);
}
