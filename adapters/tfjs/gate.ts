import type { HeadGroup } from './head-groups.ts';
import type { Site, Tensor } from './kernel.ts';

/** The gate of a group of heads, ready for products: γ of rows and columns is `rows·columnsᵀ + b`. */
export interface GroupGate {
  /** Queries times U, divided by √rank: on one side alone, so that whole-numbered gates of a square rank stay exact. */
  rows(queries: Tensor): Tensor;
  /** Keys times W. */
  columns(keys: Tensor): Tensor;
  /** `[size, 1, 1]`. */
  readonly b: Tensor;
}

export function groupGate({ tf }: Site, { gate }: HeadGroup): GroupGate {
  const { u, w, b } = gate!;
  const factor = 1 / Math.sqrt(u.shape[2]!);
  return {
    rows: (queries) => tf.mul(tf.matMul(queries, u), factor),
    columns: (keys) => tf.matMul(keys, w),
    b,
  };
}

/** s·g, or s + ln g with ln sigmoid(γ) = −softplus(−γ). */
export function corrected({ tf, parameters }: Site, score: Tensor, gate: Tensor): Tensor {
  return parameters['form'] === 'log' ? tf.sub(score, tf.softplus(tf.neg(gate))) : tf.mul(score, tf.sigmoid(gate));
}
