import type { Tensor, Tf } from './kernel.ts';
import type { KeptTable, Selection, SlotTensors } from './selection.ts';
import { biasOfMask, leastScore } from './selection.ts';

/**
 * Selection by tfjs operations, without a wait for the host. Only TopK's values are used, for its order of equal values
 * differs from backend to backend: the value in the last kept place is the threshold, and of those equal to it the first
 * stay, counted by a running sum.
 */
export const selectOnDevice: Selection = {
  entries: 'device',
  blocks: 'device',
  keepLargest(tf, score, kept) {
    return biasOfMask(tf, largestEntries(tf, score, kept));
  },
};

/** f32 like `score`: 1 for the entries that stay, 0 for the others. */
function largestEntries(tf: Tf, score: Tensor, kept: KeptTable): Tensor {
  const columns = score.shape.at(-1)!;
  const allowed = tf.sum(tf.cast(tf.greater(score, leastScore), 'float32'), -1, true);
  const count = tf.gather(tf.tensor1d([...kept], 'float32'), tf.cast(allowed, 'int32'));
  const most = Math.min(columns, Math.max(1, kept[columns]!));
  const { values } = tf.topk(score, most, true);
  const last = tf.equal(tf.range(0, most, 1, 'float32'), tf.sub(count, 1));
  const threshold = tf.sum(tf.mul(values, tf.cast(last, 'float32')), -1, true);
  const above = tf.cast(tf.greater(score, threshold), 'float32');
  const equal = tf.cast(tf.equal(score, threshold), 'float32');
  const places = tf.sub(count, tf.sum(above, -1, true));
  const first = tf.cast(tf.lessEqual(tf.cumsum(equal, score.rank - 1), places), 'float32');
  return tf.mul(tf.add(above, tf.mul(equal, first)), tf.cast(tf.greater(count, 0), 'float32'));
}

/** The entries of `score` `[…, blocks]` that stay, as block numbers in `slots` slots. */
export function largestSlots(tf: Tf, score: Tensor, kept: KeptTable, slots: number): SlotTensors {
  const blocks = score.shape.at(-1)!;
  // Falling numbers, so that the kept blocks come in order and no two are equal.
  const number = tf.mul(largestEntries(tf, score, kept), tf.range(blocks, 0, -1, 'float32'));
  const { values } = tf.topk(number, slots, true);
  const used = tf.cast(tf.greater(values, 0.5), 'float32');
  const index = tf.cast(tf.mul(tf.sub(blocks, values), used), 'int32');
  return { index, bias: biasOfMask(tf, used) };
}
