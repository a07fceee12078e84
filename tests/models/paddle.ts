import type { Tensors } from '../../src/contract/tensor.ts';
import { architecture, expectedSites, plainLayer, size } from './architecture.ts';
import { paddle } from './exporters.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { drawStates } from './sequences.ts';
import type { FeedRequest } from './sequences.ts';
import { buildTransformer } from './transformer.ts';
import type { AttentionPlace } from './transformer.ts';
import { joined } from './weights.ts';
import type { Affine } from './weights.ts';

/** A text recogniser's attention as Paddle2ONNX writes it: fused projections viewed on five axes, opset 9, weights in `Constant` nodes. */
const unmasked = { ...plainLayer, padded: false };
export const design = architecture({ layers: [unmasked, unmasked], input: 'states' });
export const expected = expectedSites(design);

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  const prepare = lengthOf;
  return buildTransformer({ exporter: paddle, architecture: design, prepare, attend, linear, outputName: 'softmax_11.tmp_0' }, seed);
}

/** `x`, f32 `[batch, length, hidden]`. There is no padding: all sequences are as long. */
export function feeds(at: FeedRequest): Tensors {
  return { x: drawStates({ ...at, padded: false }) };
}

/** The length as int32 `[1]`, as Paddle's shapes are. */
function lengthOf(g: GraphWriter, input: Value): Value {
  return g.slice(g.cast(g.op('Shape', [input]), 'i32'), 0, 1, 2);
}

function attend(g: GraphWriter, { hidden, weights, shared }: AttentionPlace<Value>): Value {
  const { heads, headDim } = size;
  const fused = linear(g, hidden, joined(weights.name, [weights.query, weights.key, weights.value]));
  const five = g.op('Reshape', [fused, shapeOf(g, [0, shared, 3, heads, headDim])]);
  const parts = g.op('Transpose', [five], { perm: [2, 0, 3, 1, 4] });
  const part = (index: number): Value => g.squeeze(g.slice(parts, 0, index, index + 1), [0]);
  const query = g.op('Mul', [part(0), g.float(1 / Math.sqrt(headDim))]);
  const key = part(1);
  const value = part(2);
  const softmax = g.op('Softmax', [g.op('MatMul', [query, g.op('Transpose', [key], { perm: [0, 1, 3, 2] })])], { axis: 3 });
  const turned = g.op('Transpose', [g.op('MatMul', [softmax, value])], { perm: [0, 2, 1, 3] });
  return linear(g, g.op('Reshape', [turned, shapeOf(g, [0, shared, heads * headDim])]), weights.output);
}

/** int32 parts, each cast to int64, side by side; 0 keeps the input's size. */
function shapeOf(g: GraphWriter, parts: ReadonlyArray<Value | number>): Value {
  const lists = parts.map((part) => g.cast(typeof part === 'number' ? g.constant('i32', [part]) : part, 'i64'));
  return g.op('Concat', lists, { axis: 0 });
}

function linear(g: GraphWriter, x: Value, { name, inputs, outputs, weight, bias }: Affine): Value {
  const product = g.op('MatMul', [x, g.weight(`${name}.weight`, [inputs, outputs], weight)]);
  return g.op('Add', [product, g.weight(`${name}.bias`, [outputs], bias)]);
}
