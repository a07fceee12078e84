import type { Tensors } from '../../src/contract/tensor.ts';
import { architecture, expectedSites, plainLayer, size } from './architecture.ts';
import { torchScript } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { linear } from './layers.ts';
import { rotaryFrequencies } from './plain-attention.ts';
import { tensorProto } from './protos.ts';
import { drawTokens, paddingMask } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { expandByView, leastFloat, mergeHeads, shapeOf, sizeOf, splitHeads } from './torch-shapes.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';

/** Llama's layers: rotary embedding, two key/value heads repeated to four, one additive mask for future and padding. Outputs `logits`. */
const layer = { ...plainLayer, kvHeads: 2, causal: true };
export const design = architecture({
  layers: [layer, layer],
  norm: 'rms',
  normPlace: 'before',
  activation: 'silu',
  rotary: true,
  head: true,
});
export const expected = expectedSites(design);

/** `[1, 1, length, headDim]` each. */
export interface RotaryTables {
  readonly cosine: Value;
  readonly sine: Value;
}

interface Shared extends RotaryTables {
  /** `[batch, 1, queries, keys]` */
  readonly mask: Value;
}

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: torchScript(17), architecture: design, prepare, attend }, seed);
}

/** `input_ids` and `attention_mask`, int64 `[batch, length]`. */
export function feeds(at: FeedRequest): Tensors {
  return { input_ids: drawTokens(at), attention_mask: paddingMask(at) };
}

function prepare(g: GraphWriter, input: Value): Shared {
  g.scope = '/model';
  const mask = fullMask(g, input, g.input('attention_mask', 'i64', ['batch', 'sequence']));
  g.scope = '/model/rotary_emb';
  return { mask, ...rotaryTables(g, sizeOf(g, input, 1)) };
}

/** Cosines and sines of the positions' angles, `length` an int64 scalar. */
export function rotaryTables(g: GraphWriter, length: Value): RotaryTables {
  const numbers = g.cast(g.op('Range', [g.int(0), length, g.int(1)]), 'f32');
  const frequencies = g.weight('model.rotary_emb.inv_freq', [1, size.headDim / 2, 1], rotaryFrequencies());
  const angles = g.op('Transpose', [g.op('MatMul', [frequencies, g.unsqueeze(numbers, [0, 1])])], { perm: [0, 2, 1] });
  const both = g.op('Concat', [angles, angles], { axis: -1 });
  return { cosine: g.unsqueeze(g.op('Cos', [both]), [1]), sine: g.unsqueeze(g.op('Sin', [both]), [1]) };
}

/** Least floats above the diagonal and at padded keys, zeros elsewhere: `[batch, 1, queries, keys]`. */
function fullMask(g: GraphWriter, input: Value, given: Value): Value {
  const [batch, length] = [sizeOf(g, input, 0), sizeOf(g, input, 1)];
  const least = tensorProto('', 'f32', [1], [leastFloat]);
  const full = g.op('ConstantOfShape', [shapeOf(g, [length, length])], { value: { tensor: least } });
  const future = g.op('Trilu', [full, g.int(1)], { upper: 1 });
  const expanded = expandByView(g, g.unsqueeze(g.unsqueeze(future, [0]), [1]), shapeOf(g, [batch, 1, length, length]));
  const kept = g.cast(g.unsqueeze(g.unsqueeze(given, [1]), [2]), 'f32');
  const padded = g.op('Equal', [g.op('Add', [expanded, kept]), g.float(0)]);
  return g.op('Where', [padded, g.float(leastFloat), expanded]);
}

function attend(g: GraphWriter, { hidden, weights, plan, shared }: AttentionPlace<Shared>): Value {
  const query = rotate(g, splitHeads(g, linear(g, hidden, weights.query), size.heads), shared);
  const key = repeatHeads(g, rotate(g, splitHeads(g, linear(g, hidden, weights.key), plan.kvHeads), shared), plan.kvHeads);
  const value = repeatHeads(g, splitHeads(g, linear(g, hidden, weights.value), plan.kvHeads), plan.kvHeads);
  const product = g.op('MatMul', [query, g.op('Transpose', [key], { perm: [0, 1, 3, 2] })]);
  const logits = g.op('Mul', [product, g.float(1 / Math.sqrt(size.headDim))]);
  const keys = g.unsqueeze(sizeOf(g, key, 2), [0]);
  const mask = g.op('Slice', [shared.mask, g.int([0]), keys, g.int([3]), g.int([1])]);
  const softmax = g.op('Softmax', [g.op('Add', [logits, mask])], { axis: -1 });
  return linear(g, mergeHeads(g, g.op('MatMul', [softmax, value])), weights.output);
}

/** `x · cos + rotateHalf(x) · sin` */
export function rotate(g: GraphWriter, x: Value, { cosine, sine }: RotaryTables): Value {
  const half = size.headDim / 2;
  const front = g.slice(x, 3, 0, half);
  const back = g.op('Slice', [x, g.int([half]), g.int([2n ** 63n - 1n]), g.int([3]), g.int([1])]);
  const turned = g.op('Concat', [g.op('Neg', [back]), front], { axis: -1 });
  return g.op('Add', [g.op('Mul', [x, cosine]), g.op('Mul', [turned, sine])]);
}

/** `[batch, kvHeads, length, headDim]` → `[batch, heads, length, headDim]`: head h reads key head ⌊h·kvHeads/heads⌋. */
function repeatHeads(g: GraphWriter, x: Value, kvHeads: number): Value {
  const [batch, length] = [sizeOf(g, x, 0), sizeOf(g, x, 2)];
  const five = expandByView(g, g.unsqueeze(x, [2]), shapeOf(g, [batch, kvHeads, size.heads / kvHeads, length, size.headDim]));
  return g.op('Reshape', [five, shapeOf(g, [batch, size.heads, length, size.headDim])], { allowzero: 0 });
}
