import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import type { Lengths, QueryTile } from '../tiles.ts';
import {
  addBiases,
  attend,
  biasOfMask,
  capped,
  causalBias,
  lengths,
  overQueryTiles,
  perHead,
  range,
  scaled,
  scores,
  slice,
} from '../tiles.ts';

const tile = 256;

/** Keys and values that a tile of queries may see, and what is added to their scores. */
export interface VisibleKeys {
  /** `[batch, heads, count, headDim]`. */
  readonly key: Value;
  /** `[batch, heads, count, headDim]`. */
  readonly value: Value;
  /** int64 scalar, ≥ 1. */
  readonly count: Value;
  /** Broadcastable to `[batch, heads, tile, count]`; undefined where everything is allowed. */
  readonly bias: Value | undefined;
}

/** What {@link visibleKeys} cuts from: heads repeated, the padding mask as a bias `[batch, 1, 1, keys]`, and the bias on the logits. */
export interface KeySource {
  readonly key: Value;
  readonly value: Value;
  readonly padding: Value | undefined;
  readonly bias: Value | undefined;
  readonly lengths: Lengths;
}

export function keySource(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): KeySource {
  const mask = inputs.mask === undefined ? undefined : graph.op('Unsqueeze', [inputs.mask, graph.int([1, 2])]);
  return {
    key: perHead(graph, inputs.key, config),
    value: perHead(graph, inputs.value, config),
    padding: mask === undefined ? undefined : biasOfMask(graph, mask, config.type),
    bias: inputs.bias,
    lengths: lengths(graph, inputs),
  };
}

/** When causal, cuts keys and values to those up to the tile's last query: the other half is not computed. */
export function visibleKeys(graph: GraphBuilder, rows: QueryTile, source: KeySource, config: KernelConfig): VisibleKeys {
  const { keys } = source.lengths;
  const own = biasOfRows(graph, rows, source);
  if (!config.causal) return { key: source.key, value: source.value, count: keys, bias: addBiases(graph, source.padding, own) };
  const end = graph.op('Add', [rows.start, rows.size]);
  const count = graph.op('Max', [graph.op('Min', [end, keys]), graph.int(1)]);
  const cut = (tensor: Value, axis: number) => slice(graph, tensor, graph.int(0), count, axis);
  const causal = causalBias(graph, rows.positions, range(graph, count), config.type);
  const padding = source.padding === undefined ? undefined : cut(source.padding, 3);
  return { key: cut(source.key, 2), value: cut(source.value, 2), count, bias: addBiases(graph, causal, padding, own && cut(own, 3)) };
}

/** The rows of a tile of a bias on the logits, which may have one row for all. */
function biasOfRows(graph: GraphBuilder, { rows }: QueryTile, { bias }: KeySource): Value | undefined {
  if (bias === undefined) return undefined;
  const last = graph.op('Sub', [graph.sizes(bias, 2, 3), graph.int(1)]);
  return graph.op('Gather', [bias, graph.op('Min', [rows, last])], { axis: 2 });
}

function build(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const source = keySource(graph, inputs, config);
  return overQueryTiles(graph, { query: inputs.query, lengths: source.lengths, tile, config }, (body, rows) => {
    const { key, value, bias } = visibleKeys(body, rows, source, config);
    const score = capped(body, scores(body, scaled(body, rows.query, config), key, 4), config);
    return attend(body, { score, bias, value, sinks: inputs.sinks, mayBeEmpty: true }, config.type);
  });
}

/** Dense attention, a tile of queries at a time: n² products at most, half of them when causal, and tile·n memory. */
export const denseTiled: OnnxKernel = {
  variant: 'dense',
  kernel: 'tiled',
  takesBias: true,
  takesSoftcap: true,
  takesSinks: true,
  summary: `tiles of ${tile} queries: MatMul, Softmax, MatMul; keys after the tile are not computed when causal`,
  scoredPairs: (_, shape) => shape.batch * shape.heads * tiledPairs(shape, tile),
  build,
};

/** q·k products of one head when tiles of `most` queries each read keys up to the tile's end (all keys unless causal). */
export function tiledPairs(shape: { queries: number; keys: number; causal: boolean }, most: number): number {
  const size = Math.min(most, shape.queries);
  const tiles = Math.ceil(shape.queries / size);
  if (!shape.causal) return tiles * size * shape.keys;
  const end = (index: number) => Math.max(1, Math.min((index + 1) * size + shape.keys - shape.queries, shape.keys));
  return Array.from({ length: tiles }, (_, index) => size * end(index)).reduce((sum, pairs) => sum + pairs, 0);
}
