import type { Tensors } from '../../src/contract/tensor.ts';
import { tensorOf } from '../../src/inputs/model-inputs.ts';
import { architecture, expectedSites, size } from './architecture.ts';
import { tensorFlow } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { drawTokens, paddingMask } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';
import type { Affine } from './weights.ts';

/** TensorFlow's BERT as tf2onnx writes it: dense layers on two axes, logits multiplied by 1/√d, −10000 at padded keys; int32 mask. */
export const design = architecture();
export const expected = expectedSites(design);

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  return buildTransformer({ exporter: tensorFlow, architecture: design, prepare: declareMask, attend, linear }, seed);
}

/** `input_ids`, int64, and `attention_mask`, int32, `[batch, length]`. */
export function feeds(at: FeedRequest): Tensors {
  const { dims, data } = paddingMask(at);
  return { input_ids: drawTokens(at), attention_mask: tensorOf('int32', dims, Array.from(data, Number)) };
}

/** `(1 − mask) · −10000`, `[batch, 1, 1, keys]`. */
export function declareMask(g: GraphWriter): Value {
  const given = g.cast(g.input('attention_mask', 'i32', ['batch', 'sequence']), 'f32');
  const four = g.op('Reshape', [given, g.op('Concat', [g.slice(g.op('Shape', [given]), 0, 0, 1), g.int([1, 1, -1])], { axis: 0 })]);
  return g.op('Mul', [g.op('Sub', [g.float(1), four]), g.float(-10_000)]);
}

function attend(g: GraphWriter, { hidden, weights, shared }: AttentionPlace<Value>): Value {
  const heads = (affine: Affine, perm: readonly number[]): Value => {
    const shape = g.op('Concat', [g.slice(g.op('Shape', [hidden]), 0, 0, 1), g.int([-1, size.heads, size.headDim])], { axis: 0 });
    return g.op('Transpose', [g.op('Reshape', [linear(g, hidden, affine), shape])], { perm });
  };
  const query = heads(weights.query, [0, 2, 1, 3]);
  const key = heads(weights.key, [0, 2, 3, 1]);
  const value = heads(weights.value, [0, 2, 1, 3]);
  const logits = g.op('Mul', [g.op('MatMul', [query, key]), g.float(1 / Math.sqrt(size.headDim))]);
  const softmax = g.op('Softmax', [g.op('Add', [logits, shared])], { axis: 3 });
  const turned = g.op('Transpose', [g.op('MatMul', [softmax, value])], { perm: [0, 2, 1, 3] });
  const shape = g.op('Concat', [g.slice(g.op('Shape', [hidden]), 0, 0, 1), g.int([-1, size.hidden])], { axis: 0 });
  return linear(g, g.op('Reshape', [turned, shape]), weights.output);
}

/** `Dense` on three axes: `Tensordot`'s reshapes around a product of two axes, then `BiasAdd`. */
export function linear(g: GraphWriter, x: Value, { name, inputs, outputs, weight, bias }: Affine): Value {
  const flat = g.op('Reshape', [x, g.int([-1, inputs])]);
  const product = g.op('MatMul', [flat, g.weight(`${name}.kernel`, [inputs, outputs], weight)]);
  const shape = g.op('Concat', [g.slice(g.op('Shape', [x]), 0, 0, 2), g.int([outputs])], { axis: 0 });
  return g.op('Add', [g.op('Reshape', [product, shape]), g.weight(`${name}.bias`, [outputs], bias)]);
}
