import type { Tensor, Tf } from '../kernel.ts';
import { differentiable } from './differentiable.ts';

/** Which class each position should give, −1 where it is not scored. */
export interface Scored {
  readonly targets: Int32Array;
  readonly classes: number;
}

/** Of every exit's loss, each of the same weight (Huang et al. 2018, section 4). */
export function meanLoss(tf: Tf, losses: readonly Tensor[]): Tensor {
  const sum = losses.reduce((total, loss) => tf.add(total, loss));
  return losses.length === 1 ? sum : tf.mul(sum, 1 / losses.length);
}

/** Mean cross-entropy over scored positions, nats: logits `[positions, classes]`. */
export function crossEntropy(tf: Tf, logits: Tensor, { targets, classes }: Scored): Tensor {
  const wanted = new Float32Array(targets.length * classes);
  for (const [position, target] of targets.entries()) if (target >= 0) wanted[position * classes + target] = 1;
  const given = tf.tensor2d(wanted, [targets.length, classes]);
  return divergence(tf, logits, { wanted: given, log: tf.scalar(0) }, { targets, factor: 1 });
}

/** T²·KL(teacher ‖ student) at temperature T, mean over scored positions (Hinton et al. 2015, section 2). */
export function distillation(tf: Tf, logits: Tensor, teacher: Tensor, { targets, temperature }: Scored & { temperature: number }): Tensor {
  const log = tf.logSoftmax(tf.mul(teacher, 1 / temperature));
  return divergence(tf, tf.mul(logits, 1 / temperature), { wanted: tf.exp(log), log }, { targets, factor: temperature ** 2 });
}

/** Σ p·(ln p − ln softmax(logits)), p `[positions, classes]` with its logarithm, 0 where that does not count: the mean over scored positions times a factor. */
function divergence(
  tf: Tf,
  logits: Tensor,
  { wanted, log }: { wanted: Tensor; log: Tensor },
  { targets, factor }: { targets: Int32Array; factor: number },
): Tensor {
  const weights = rowWeights(tf, targets, factor);
  return differentiable(tf, [logits], () => {
    const own = tf.logSoftmax(logits);
    return {
      value: tf.sum(tf.mul(tf.mul(tf.sub(log, own), wanted), weights)),
      keep: [own, wanted, weights],
      slopes: (slope, [logs, p, by]) => [tf.mul(slope, tf.mul(by!, tf.sub(tf.exp(logs!), p!)))],
    };
  });
}

/** `[positions, 1]`: 0 where nothing is scored, elsewhere the same, `total` together. */
function rowWeights(tf: Tf, targets: Int32Array, total: number): Tensor {
  const count = targets.reduce((sum, target) => sum + (target >= 0 ? 1 : 0), 0);
  const weights = Float32Array.from(targets, (target) => (target >= 0 ? total / count : 0));
  return tf.tensor2d(weights, [targets.length, 1]);
}

/** Σ w_h ‖o_h − teacher's o_h‖²/‖teacher's o_h‖² over one layer's heads: outputs `[heads·batch, length, d]`. */
export function headDifference(tf: Tf, own: Tensor, teacher: Tensor, weights: readonly number[]): Tensor {
  return differentiable(tf, [own], () => {
    const perHead = (values: Tensor) => tf.reshape(values, [weights.length, values.size / weights.length]);
    const size = tf.maximum(tf.sum(tf.square(perHead(teacher)), 1, true), 1e-12);
    const by = tf.div(tf.tensor2d([...weights], [weights.length, 1]), size);
    const error = perHead(tf.sub(own, teacher));
    return {
      value: tf.sum(tf.mul(tf.sum(tf.square(error), 1, true), by)),
      keep: [error, by],
      slopes: (slope, [missed, factor]) => [tf.reshape(tf.mul(slope, tf.mul(tf.mul(missed!, factor!), 2)), own.shape)],
    };
  });
}
