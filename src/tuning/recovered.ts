import { meanInterval } from '../statistics/student.ts';
import type { MeanEstimate } from '../statistics/student.ts';

/** Mean test scores, one a seed each. */
export interface Scores {
  readonly baseline: readonly number[];
  /** Another attention under the baseline's weights. */
  readonly swapped: readonly number[];
  readonly tuned: readonly number[];
}

/**
 * The share of what the plain swap lost that training got back: (tuned − swapped) / (baseline − swapped), the mean over seeds with Student's 95 %
 * interval; above 1 where tuned beats the baseline. Null where the swap of some seed lost no more than `margin`: there is nothing to get back.
 */
export function recoveredShare({ baseline, swapped, tuned }: Scores, margin: number): MeanEstimate | null {
  const lost = baseline.map((score, seed) => score - swapped[seed]!);
  if (!lost.every((loss) => loss > margin)) return null;
  return meanInterval(
    lost.map((loss, seed) => (tuned[seed]! - swapped[seed]!) / loss),
    0.025,
  );
}
