import type { Engine } from '../engine.ts';
import type { Tensor, Tf } from '../kernel.ts';
import { differentiable } from './differentiable.ts';

/** Products under the tape, each backend's fast one in both directions. */
export interface Products {
  /** a·b: `[n, k]` and `[k, m]`, or as many of both, `[size, n, k]` and `[size, k, m]`. */
  multiply(a: Tensor, b: Tensor): Tensor;
  /** A constant `[m, n]` times x `[n, d]`. */
  fromLeft(constant: Tensor, x: Tensor): Tensor;
  /** x `[n, d]` times a constant `[d, m]`. */
  fromRight(x: Tensor, constant: Tensor): Tensor;
  /** A constant `[m, n]` times each of x `[size, n, d]`: `[size, m, d]`. */
  mix(constant: Tensor, x: Tensor): Tensor;
}

/**
 * WebAssembly has a fast product of single matrices that are not transposed; batches and transposed factors, which tfjs's own gradient
 * asks for, take ten times as long there. Of a constant no gradient is computed.
 */
export function productsOf({ tf, heads }: Pick<Engine, 'tf' | 'heads'>): Products {
  const product = (a: Tensor, b: Tensor): Tensor => (heads === 'each' && a.rank === 3 ? oneByOne(tf, a, b) : tf.matMul(a, b));
  const fromLeft: Products['fromLeft'] = (constant, x) =>
    differentiable(tf, [x], () => ({
      value: product(constant, x),
      keep: [constant],
      slopes: (slope, [matrix]) => [product(transposed(tf, matrix!), slope)],
    }));
  return {
    fromLeft,
    fromRight: (x, constant) =>
      differentiable(tf, [x], () => ({
        value: product(x, constant),
        keep: [constant],
        slopes: (slope, [matrix]) => [product(slope, transposed(tf, matrix!))],
      })),
    multiply: (a, b) =>
      differentiable(tf, [a, b], () => ({
        value: product(a, b),
        keep: [a, b],
        slopes: (slope, [left, right]) => [product(slope, transposed(tf, right!)), product(transposed(tf, left!), slope)],
      })),
    mix(constant, x) {
      const [size = 1, n = 1, d = 1] = x.shape;
      const flat = tf.reshape(tf.transpose(x, [1, 0, 2]), [n, size * d]);
      return tf.transpose(tf.reshape(fromLeft(constant, flat), [constant.shape[0]!, size, d]), [1, 0, 2]);
    },
  };
}

/** The last two dimensions exchanged. */
export function transposed(tf: Tf, x: Tensor): Tensor {
  return tf.transpose(x, x.rank === 2 ? [1, 0] : [0, 2, 1]);
}

function oneByOne(tf: Tf, a: Tensor, b: Tensor): Tensor {
  const [left, right] = [matricesOf(tf, a), matricesOf(tf, b)];
  return tf.tidy(() => tf.stack(Array.from({ length: a.shape[0]! }, (_, index) => tf.matMul(left(index), right(index)))));
}

/** Cut from values that are read once: WebAssembly's Slice reads the whole tensor for every part. */
function matricesOf(tf: Tf, tensor: Tensor): (index: number) => Tensor {
  const [, rows = 1, columns = 1] = tensor.shape;
  const values = tensor.dataSync();
  return (index) => tf.tensor2d(values.slice(index * rows * columns, (index + 1) * rows * columns), [rows, columns], 'float32');
}
