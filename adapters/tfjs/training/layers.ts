import { normEpsilon } from '../../../src/training/reference-layers.ts';
import type { Tensor, Tf } from '../kernel.ts';
import { differentiable } from './differentiable.ts';

/** gelu(x) = x·Φ(x), exact. */
export function gelu(tf: Tf, x: Tensor): Tensor {
  return differentiable(tf, [x], () => {
    const share = tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
    const density = (at: Tensor) => tf.mul(tf.exp(tf.mul(tf.square(at), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return {
      value: tf.mul(x, share),
      keep: [x, share],
      slopes: (slope, [given, below]) => [tf.mul(slope, tf.add(below!, tf.mul(given!, density(given!))))],
    };
  });
}

/** 1/(1 + e^−x). */
export function sigmoid(tf: Tf, x: Tensor): Tensor {
  return differentiable(tf, [x], () => {
    const value = tf.sigmoid(x);
    return { value, keep: [value], slopes: (slope, [share]) => [tf.mul(slope, tf.mul(share!, tf.sub(1, share!)))] };
  });
}

/** LayerNorm, or without a bias RMSNorm, of x `[rows, width]`; weight and bias `[width]`. */
export function normalise(tf: Tf, x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const scaled = scaleRows(tf, standardise(tf, x, bias !== undefined), weight);
  return bias === undefined ? scaled : shiftRows(tf, scaled, bias);
}

/** (x − mean)/√(variance + ε), or x/√(mean x² + ε). */
function standardise(tf: Tf, x: Tensor, centred: boolean): Tensor {
  const mean = (values: Tensor) => tf.mean(values, -1, true);
  const centre = (values: Tensor) => (centred ? tf.sub(values, mean(values)) : values);
  return differentiable(tf, [x], () => {
    const moved = centre(x);
    const factor = tf.rsqrt(tf.add(mean(tf.square(moved)), normEpsilon));
    const value = tf.mul(moved, factor);
    return {
      value,
      keep: [value, factor],
      slopes: (slope, [standard, by]) => [tf.mul(by!, tf.sub(centre(slope), tf.mul(standard!, mean(tf.mul(slope, standard!)))))],
    };
  });
}

function scaleRows(tf: Tf, x: Tensor, weight: Tensor): Tensor {
  return differentiable(tf, [x, weight], () => ({
    value: tf.mul(x, weight),
    keep: [x, weight],
    slopes: (slope, [rows, by]) => [tf.mul(slope, by!), sumOfRows(tf, tf.mul(slope, rows!))],
  }));
}

/** x `[rows, width]` plus bias `[width]`. */
export function shiftRows(tf: Tf, x: Tensor, bias: Tensor): Tensor {
  return differentiable(tf, [x, bias], () => ({
    value: tf.add(x, bias),
    keep: [],
    slopes: (slope) => [tf.clone(slope), sumOfRows(tf, slope)],
  }));
}

/** The first `rows` of a matrix `[at least rows, width]`. */
export function firstRows(tf: Tf, matrix: Tensor, rows: number): Tensor {
  const [all = 1, width = 1] = matrix.shape;
  return differentiable(tf, [matrix], () => ({
    value: tf.slice(matrix, [0, 0], [rows, width]),
    keep: [],
    slopes: (slope) => [
      tf.pad(slope, [
        [0, all - rows],
        [0, 0],
      ]),
    ],
  }));
}

/** `[rows, width]` → `[width]`, as a product: a sum over another axis than the last has WebAssembly transpose first. */
function sumOfRows(tf: Tf, x: Tensor): Tensor {
  return tf.reshape(tf.matMul(tf.ones([1, x.shape[0]!]), x), [x.shape[1]!]);
}
