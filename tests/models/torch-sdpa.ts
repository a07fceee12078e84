import type { Tensors } from '../../src/contract/tensor.ts';
import { architecture, expectedSites, plainLayer, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { drawTokens, paddingMask } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { expandByView, mergeHeads, shapeOf, sizeOf, splitHeads } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

/**
 * `scaled_dot_product_attention` as TorchScript's exporter of PyTorch 2 writes it: one layer with `is_causal`, one with
 * a boolean padding mask, whose softmax is guarded against rows without any key.
 */
export const design = architecture({ layers: [{ ...plainLayer, causal: true, padded: false }, plainLayer] });
export const expected = expectedSites(design);

const end = 2n ** 63n - 1n;

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: torchScript(17), architecture: design, prepare, attend }, seed);
}

/** `input_ids` and `attention_mask`, int64 `[batch, length]`. */
export function feeds(at: FeedRequest): Tensors {
  return { input_ids: drawTokens(at), attention_mask: paddingMask(at) };
}

/** The padding mask, bool `[batch, 1, queries, keys]`. */
function prepare(g: GraphWriter, input: Value): Value {
  const mask = g.cast(g.input('attention_mask', 'i64', ['batch', 'sequence']), 'bool');
  const [batch, length] = [sizeOf(g, input, 0), sizeOf(g, input, 1)];
  return expandByView(g, g.unsqueeze(g.unsqueeze(mask, [1]), [2]), shapeOf(g, [batch, 1, length, length]));
}

function attend(g: GraphWriter, { hidden, weights, plan, shared }: AttentionPlace<Value>): Value {
  const query = splitHeads(g, linear(g, hidden, weights.query), size.heads);
  const keyHeads = linear(g, hidden, weights.key);
  const key = splitHeads(g, keyHeads, size.heads);
  const turnedKey = splitHeads(g, keyHeads, size.heads, [0, 2, 3, 1]);
  const value = splitHeads(g, linear(g, hidden, weights.value), size.heads);
  const scale = scaleOf(g, query);
  const bias = plan.causal ? causalBias(g, query, key) : g.op('Where', [shared, g.float([0]), g.float([-Infinity])]);
  const scaledQuery = g.op('Mul', [query, g.op('Sqrt', [scale])]);
  const scaledKey = g.op('Mul', [turnedKey, g.op('Sqrt', [scale])]);
  const logits = g.op('Add', [g.op('MatMul', [scaledQuery, scaledKey]), bias]);
  const softmax = g.op('Softmax', [logits], { axis: -1 });
  const guarded = plan.causal ? softmax : g.op('Where', [g.op('IsNaN', [softmax]), g.float([0]), softmax]);
  return linear(g, mergeHeads(g, g.op('MatMul', [guarded, value])), weights.output);
}

/** 1/√headDim, computed from the query's shape, `[1]`. */
function scaleOf(g: GraphWriter, query: Value): Value {
  const headDim = g.op('Slice', [g.op('Shape', [query]), g.int([-1]), g.int([end])]);
  return g.cast(g.op('Div', [g.float([1]), g.op('Sqrt', [g.cast(headDim, 'f32')])]), 'f32');
}

/** Zero where a query sees a key, −∞ elsewhere, `[queries, keys]`. */
function causalBias(g: GraphWriter, query: Value, key: Value): Value {
  const length = (x: Value) => g.op('Slice', [g.op('Shape', [x]), g.int([-2]), g.int([-1])]);
  const ones = g.op('Expand', [g.float([1]), g.op('Concat', [length(query), length(key)], { axis: 0 })]);
  const future = g.op('Equal', [g.op('Trilu', [ones], { upper: 0 }), g.float([0])]);
  return g.op('Where', [future, g.float([-Infinity]), g.float([0])]);
}
