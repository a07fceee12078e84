import { decimalOf } from '../../../src/variants/decimal.ts';
import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import {
  biasWhereNegative,
  countTrue,
  maskedScore,
  overQueryTiles,
  range,
  scaled,
  scores,
  toFloat,
  vector,
  zeroEmptyRows,
} from '../tiles.ts';
import type { VisibleKeys } from './dense-tiled.ts';
import { keySource, tiledPairs, visibleKeys } from './dense-tiled.ts';
import { fewPairs, isFew, keepFew, servesFew } from './topk-few.ts';

const tile = 128;

/** The largest scores of each row, in falling order, and which keys they belong to: `[batch, heads, tile, kept]`. */
interface Kept {
  readonly score: Value;
  readonly index: Value;
}

function keepK(graph: GraphBuilder, score: Value, k: Value): Kept {
  const [values = '', index = ''] = graph.ops('TopK', [score, vector(graph, k)], { axis: -1, largest: 1, sorted: 1 }, 2);
  return { score: values, index };
}

/** Int64 `[…, 1]`: how many keys each row may see. */
function allowedKeys(graph: GraphBuilder, visible: VisibleKeys, config: KernelConfig): Value {
  if (visible.bias === undefined) return visible.count;
  const open = graph.op('Greater', [visible.bias, graph.scalar(maskedScore[config.type] / 2, config.type)]);
  return countTrue(graph, open);
}

/** ⌈share·count⌉ in whole numbers. */
export function ceilShare(graph: GraphBuilder, count: Value, share: { numerator: bigint; denominator: bigint }): Value {
  const product = graph.op('Mul', [count, graph.int(Number(share.numerator))]);
  return graph.op('Div', [graph.op('Add', [product, graph.int(Number(share.denominator) - 1)]), graph.int(Number(share.denominator))]);
}

/** The `share` of each row's allowed keys with the largest `score`; ranks past a row's own number get the masked score. */
export function keepShare(
  graph: GraphBuilder,
  given: { score: Value; visible: VisibleKeys; share: { numerator: bigint; denominator: bigint } },
  config: KernelConfig,
): Kept {
  const perRow = ceilShare(graph, allowedKeys(graph, given.visible, config), given.share);
  const most = graph.op('Max', [graph.op('ReduceMax', [perRow], { keepdims: 0 }), graph.int(1)]);
  const kept = keepK(graph, given.score, most);
  const spare = toFloat(graph, graph.op('Sub', [graph.op('Sub', [perRow, graph.int(1)]), range(graph, most)]));
  return { score: graph.op('Add', [kept.score, biasWhereNegative(graph, spare, config.type)]), index: kept.index };
}

/** Weights of the kept keys times their gathered values: k·d traffic a row instead of n·d, for small k. */
function gatherValues(graph: GraphBuilder, weight: Value, kept: Kept, value: Value): Value {
  const index = graph.op('Unsqueeze', [kept.index, graph.int([-1])]);
  const gathered = graph.op('GatherND', [value, index], { batch_dims: 2 });
  const product = graph.op('MatMul', [graph.op('Unsqueeze', [weight, graph.int([3])]), gathered]);
  return graph.op('Squeeze', [product, graph.int([3])]);
}

/** Weights scattered into a row of zeros, times all values: cheaper where k is large. */
function scatterWeights(graph: GraphBuilder, weight: Value, kept: Kept, score: Value, value: Value, type: KernelConfig['type']): Value {
  const zeros = graph.op('Expand', [graph.scalar(0, type), graph.op('Shape', [score])]);
  return graph.op('MatMul', [graph.op('ScatterElements', [zeros, kept.index, weight], { axis: -1 }), value]);
}

function build(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  if (servesFew(config)) return keepFew(graph, inputs, config);
  const source = keySource(graph, inputs, config);
  const { k, keep } = config.parameters;
  return overQueryTiles(graph, { query: inputs.query, lengths: source.lengths, tile, config }, (body, rows) => {
    const visible = visibleKeys(body, rows, source, config);
    const plain = scores(body, scaled(body, rows.query, config), visible.key, 4);
    const score = visible.bias === undefined ? plain : body.op('Add', [plain, visible.bias]);
    const kept =
      keep === undefined
        ? keepK(body, score, body.op('Min', [visible.count, body.int(Number(k))]))
        : keepShare(body, { score, visible, share: decimalOf(Number(keep)) }, config);
    const weight = body.op('Softmax', [kept.score], { axis: -1 });
    const output = isFew(config.parameters, config.headDim)
      ? gatherValues(body, weight, kept, visible.value)
      : scatterWeights(body, weight, kept, score, visible.value, config.type);
    return visible.bias === undefined ? output : zeroEmptyRows(body, output, visible.bias, config.type);
  });
}

/** Exact top-k: scores of a tile of queries, TopK, softmax over what is kept, and values gathered for small k. */
export const topkTiled: OnnxKernel = {
  variant: 'topk',
  kernel: 'tiled',
  takesBias: true,
  summary: 'tiles of queries: MatMul, TopK, Softmax, gathered or scattered values',
  scoredPairs(parameters, shape) {
    const few = isFew(parameters, shape.headDim) && (shape.queries === shape.keys || !shape.causal);
    return shape.batch * shape.heads * (few ? fewPairs(shape) : tiledPairs(shape, tile));
  },
  build,
};
