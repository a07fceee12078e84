import { meanInterval, studentCdf } from '../statistics/student.ts';
import type { MeanEstimate } from '../statistics/student.ts';
import type { FinishedTrial } from './finish-trial.ts';

/** A mean difference over seeds with Student's 95 % interval, and the two-sided p of there being none. */
export type SeedDifference = MeanEstimate & { readonly p: number };

/** Mean test scores, new minus base, seed by seed: both lists in the order of seeds. */
export function differenceOf(base: readonly FinishedTrial[], fresh: readonly FinishedTrial[]): SeedDifference {
  const means = (trials: readonly FinishedTrial[]) => trials.map(({ test }) => test.mean);
  return pairedDifference(means(base), means(fresh));
}

/** BLEU or chrF, new minus base, as {@link differenceOf}; null where some training has none. */
export function translationDifference(
  base: readonly Translated[],
  fresh: readonly Translated[],
  score: 'bleu' | 'chrf',
): SeedDifference | null {
  const [before, after] = [base, fresh].map((trials) => trials.flatMap(({ test }) => test.translation?.[score].value ?? []));
  if (before!.length !== base.length || after!.length !== base.length || base.length === 0) return null;
  return pairedDifference(before!, after!);
}

/** A finished trial, as it is at work or in a record. */
interface Translated {
  readonly test: {
    readonly translation?: Readonly<Record<'bleu' | 'chrf', { readonly value: number | null }>> | undefined;
  };
}

function pairedDifference(base: readonly number[], fresh: readonly number[]): SeedDifference {
  const estimate = meanInterval(
    fresh.map((score, index) => score - base[index]!),
    0.025,
  );
  const { count, mean, standardDeviation } = estimate;
  if (count < 2) return { ...estimate, p: 1 };
  const error = standardDeviation / Math.sqrt(count);
  if (error === 0) return { ...estimate, p: mean === 0 ? 1 : 0 };
  return { ...estimate, p: 2 * studentCdf(-Math.abs(mean) / error, count - 1) };
}
