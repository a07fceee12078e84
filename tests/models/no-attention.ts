import type { Tensors } from '../../src/contract/tensor.ts';
import { tensorOf } from '../../src/inputs/model-inputs.ts';
import type { Expected } from './architecture.ts';
import { torchScript } from './exporters.ts';
import { GraphWriter } from './graph-writer.ts';
import type { Value } from './graph-writer.ts';
import type { FeedRequest } from './sequences.ts';
import { drawn } from './weights.ts';

/** A small convolutional classifier of images of any width. Outputs `logits` `[batch, 5]`. */
export const expected: Expected = { sites: [] };

export function build({ seed = 0 }: { seed?: number } = {}): Uint8Array {
  const g = new GraphWriter(torchScript(14));
  const image = g.input('image', 'f32', ['batch', 1, 8, 'width']);
  const first = convolve(g, image, { name: 'conv1', from: 1, to: 4, seed });
  const smaller = g.op('MaxPool', [first], { kernel_shape: [2, 2], pads: [0, 0, 0, 0], strides: [2, 2], ceil_mode: 1 });
  const pooled = g.op('GlobalAveragePool', [convolve(g, smaller, { name: 'conv2', from: 4, to: 8, seed })]);
  const weight = g.weight('fc.weight', [5, 8], drawn(seed, 'fc.weight', 40, 0.4));
  const bias = g.weight('fc.bias', [5], drawn(seed, 'fc.bias', 5, 0.1));
  g.output('logits', g.op('Gemm', [g.op('Flatten', [pooled], { axis: 1 }), weight, bias], { transB: 1 }), 'f32', ['batch', 5]);
  return g.bytes();
}

interface Convolution {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly seed: number;
}

function convolve(g: GraphWriter, x: Value, { name, from, to, seed }: Convolution): Value {
  const kernel = g.weight(`${name}.weight`, [to, from, 3, 3], drawn(seed, `${name}.weight`, to * from * 9, 1 / Math.sqrt(9 * from)));
  const bias = g.weight(`${name}.bias`, [to], drawn(seed, `${name}.bias`, to, 0.1));
  return g.op('Relu', [g.op('Conv', [x, kernel, bias], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })]);
}

/** `image`, f32 `[batch, 1, 8, length]`. There is no padding. */
export function feeds({ batch, length, seed = 0 }: FeedRequest): Tensors {
  return { image: tensorOf('float32', [batch, 1, 8, length], drawn(seed, 'image', batch * 8 * length, 1)) };
}
