import { meanInterval, studentCdf } from '../statistics/student.ts';
import type { MeanEstimate } from '../statistics/student.ts';
import type { FinishedTrial } from './finish-trial.ts';

/** A mean difference over seeds with Student's 95 % interval, and the two-sided p of there being none. */
export type SeedDifference = MeanEstimate & { readonly p: number };

/** Mean test scores, new minus base, seed by seed: both lists in the order of seeds. */
export function differenceOf(base: readonly FinishedTrial[], fresh: readonly FinishedTrial[]): SeedDifference {
  const estimate = meanInterval(
    fresh.map(({ test }, index) => test.mean - base[index]!.test.mean),
    0.025,
  );
  const { count, mean, standardDeviation } = estimate;
  if (count < 2) return { ...estimate, p: 1 };
  const error = standardDeviation / Math.sqrt(count);
  if (error === 0) return { ...estimate, p: mean === 0 ? 1 : 0 };
  return { ...estimate, p: 2 * studentCdf(-Math.abs(mean) / error, count - 1) };
}
