import type { Tensor, Tf } from './tf.ts';

/** How many entries stay of 0, 1, 2, … allowed ones: never more than there are, and never falling. */
export type KeptTable = readonly number[];

/** Blocks that a block of queries reads beside its own, for each row of scores. */
export interface SlotTensors {
  /** int32 `[…, slots]`, ascending within a row; 0 in a slot that is not used. */
  readonly index: Tensor;
  /** f32 `[…, slots]`: 0, or {@link maskedScore} in a slot that is not used. */
  readonly bias: Tensor;
}

/**
 * Which entries of the last axis stay: of the n allowed ones in a row (those above {@link maskedScore}), the `kept[n]`
 * largest, a tie going to the lower index.
 */
export interface Selection {
  /** Where entries are selected: by JavaScript over scores that are read back, or by operations of the backend. */
  readonly entries: 'host' | 'device';
  readonly blocks: 'host' | 'device';
  /** What is added to scores `[…, n]`: 0 for entries that stay, {@link maskedScore} for the others. */
  keepLargest(tf: Tf, score: Tensor, kept: KeptTable): Tensor;
}

/**
 * What is added to the score of a pair that does not count: enough that its weight is exactly 0 beside any other key,
 * finite so that a row of nothing else stays free of NaN, and small enough that several may add up.
 */
export const maskedScore = -1e30;

/** Scores below this are of pairs that do not count. */
export const leastScore = maskedScore / 10;

/** What is added to scores: 0 where `kept`, f32 of ones and zeros, is 1, {@link maskedScore} where it is 0. */
export function biasOfMask(tf: Tf, kept: Tensor): Tensor {
  return tf.mul(tf.sub(1, kept), maskedScore);
}
