import type { Tensor, Tf } from '../kernel.ts';
import { differentiable } from './differentiable.ts';
import { transposed } from './products.ts';
import type { Products } from './products.ts';

/** A layer's gate tensors. */
export interface GateTensors {
  /** `[heads, headDim, rank]`. */
  readonly u: Tensor;
  /** `[heads, headDim, rank]`. */
  readonly w: Tensor;
  /** `[heads]`. */
  readonly b: Tensor;
}

/** γ = (q U)·(k W)/√rank + b of queries `[heads·batch, n, headDim]` with keys `[heads·batch, m, headDim]`: `[heads·batch, n, m]`. */
export function gateLogits(
  tf: Tf,
  { multiply }: Products,
  { query, key }: { query: Tensor; key: Tensor },
  { u, w, b }: GateTensors,
): Tensor {
  const [heads = 1, dim = 1, rank = 1] = u.shape;
  const size = query.shape[0]!;
  const project = (x: Tensor, matrix: Tensor) => {
    const n = x.shape[1]!;
    return tf.reshape(multiply(tf.reshape(x, [heads, (size / heads) * n, dim]), matrix), [size, n, rank]);
  };
  const score = multiply(tf.mul(project(query, u), 1 / Math.sqrt(rank)), transposed(tf, project(key, w)));
  return differentiable(tf, [score, b], () => {
    const perHead = (values: Tensor) => tf.reshape(values, [heads, -1]);
    return {
      value: tf.reshape(tf.add(perHead(score), tf.reshape(b, [heads, 1])), score.shape),
      keep: [],
      slopes: (slope) => [tf.clone(slope), tf.sum(perHead(slope), 1)],
    };
  });
}

/** s·sigmoid(γ), or s + ln sigmoid(γ), of logits and gates of one shape; where `corrected` is 0 and not 1 the logit stays as it is. */
export function correct(
  tf: Tf,
  logits: Tensor,
  { gate, form, corrected }: { gate: Tensor; form: unknown; corrected: Tensor | undefined },
): Tensor {
  const only = (change: Tensor) => (corrected === undefined ? change : tf.mul(change, corrected));
  return differentiable(tf, [logits, gate], () => {
    const shut = tf.sigmoid(tf.neg(gate));
    if (form === 'log')
      return {
        value: tf.sub(logits, only(tf.softplus(tf.neg(gate)))),
        keep: [shut],
        slopes: (slope, [closed]) => [tf.clone(slope), tf.mul(slope, only(closed!))],
      };
    return {
      value: tf.sub(logits, tf.mul(logits, only(shut))),
      keep: [logits, shut],
      slopes(slope, [scores, closed]) {
        const change = tf.mul(slope, only(closed!));
        return [tf.sub(slope, change), tf.mul(tf.mul(change, scores!), tf.sub(1, closed!))];
      },
    };
  });
}
