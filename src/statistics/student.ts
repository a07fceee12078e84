import jstat from 'jstat';
import { meanOf } from './mean.ts';
import type { Interval } from './resample.ts';

const { studentt, ibeta } = jstat.jStat;

/** The p-quantile of Student's t, to a relative 3e-8 for degrees ≥ 1 and p within 1e-4 … 1 − 1e-4. */
export function studentQuantile(p: number, degrees: number): number {
  if (!(p > 0 && p < 1) || !(degrees >= 1)) throw new RangeError(`studentQuantile: p ${p} must lie in (0, 1), degrees ${degrees} ≥ 1`);
  return studentt.inv(p, degrees);
}

/** P(T ≤ t) of Student's t, to 2e-8, and in the lower tail to a relative 2e-7 however far out: a two-sided p is 2·P(T ≤ −|t|). */
export function studentCdf(t: number, degrees: number): number {
  if (!(degrees >= 1)) throw new RangeError(`studentCdf: degrees must be ≥ 1, got ${degrees}`);
  const tail = ibeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2;
  return t > 0 ? 1 - tail : tail;
}

export interface MeanEstimate extends Interval {
  readonly mean: number;
  /** Of one value, with n − 1 degrees of freedom. */
  readonly standardDeviation: number;
  readonly count: number;
}

/**
 * The mean with a Student t interval that leaves `tail` (one-sided) beyond each end. Exact for independent normal values; close
 * for others from about ten values on, as their mean becomes normal. Misleading when values share an error that differs from
 * sample to sample: samples of one process do, which is why the values here are whole blocks, each a fresh pair of processes.
 * A single value has no interval: its ends are infinite.
 * @throws RangeError on no values
 */
export function meanInterval(values: readonly number[], tail: number): MeanEstimate {
  const count = values.length;
  if (count === 0) throw new RangeError('meanInterval: needs at least one value');
  const mean = meanOf(values);
  if (count === 1) return { mean, low: -Infinity, high: Infinity, standardDeviation: Infinity, count };
  const standardDeviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1));
  const reach = (studentQuantile(1 - tail, count - 1) * standardDeviation) / Math.sqrt(count);
  return { mean, low: mean - reach, high: mean + reach, standardDeviation, count };
}
