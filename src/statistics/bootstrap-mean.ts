import { meanOf } from './mean.ts';
import { quantileSorted } from './order-statistics.ts';
import type { Interval } from './resample.ts';
import { drawBelow, seededGenerator } from './resample.ts';

export interface BootstrapOptions {
  readonly seed: number;
  /** One-sided error at each end of the interval. */
  readonly tail: number;
  readonly replicates: number;
}

/**
 * The studentised bootstrap (bootstrap-t) interval of a mean: values are drawn with replacement, and the quantiles of (θ* − θ)/se* take
 * the place of Student's (Efron and Tibshirani, An Introduction to the Bootstrap, §12.5). Of 5 to 20 skewed (exponential) values
 * 93–95 % of 95 % intervals cover; of Student's 88–91 %, of percentile intervals 78–90 %. The price is width: a sixth more than
 * Student's of 20 values, two fifths of 10, 2.7 times as wide of 5. Misleading when values depend on one another, and with three
 * (78 % cover) or four, as these give only a few different draws.
 *
 * Replicates that show no spread (the same value every time) are left out.
 * @throws RangeError on fewer than 3 values, one that is not finite, or a tail outside (0, ½)
 */
export function bootstrapMeanInterval(values: readonly number[], { seed, tail, replicates }: BootstrapOptions): Interval {
  if (values.length < 3) throw new RangeError(`bootstrapMeanInterval: needs at least 3 values, got ${values.length}`);
  if (!(tail > 0 && tail < 0.5)) throw new RangeError(`bootstrapMeanInterval: tail must lie in (0, 0.5), got ${tail}`);
  const { mean, error } = fit(values);
  if (!Number.isFinite(mean)) throw new RangeError(`bootstrapMeanInterval: the mean is ${mean}`);
  if (error === 0) return { low: mean, high: mean };
  // By an older name: under another label the same seed would give another interval.
  const generator = seededGenerator(seed, 'cluster-bootstrap');
  const pivots: number[] = [];
  for (let replicate = 0; replicate < replicates; replicate += 1) {
    const drawn = fit(values.map(() => values[drawBelow(generator, values.length)]!));
    if (drawn.error > 1e-9 * error) pivots.push((drawn.mean - mean) / drawn.error);
  }
  pivots.sort((a, b) => a - b);
  return { low: mean - quantileSorted(pivots, 1 - tail) * error, high: mean - quantileSorted(pivots, tail) * error };
}

/** The mean and its standard error. */
function fit(values: readonly number[]): { mean: number; error: number } {
  const count = values.length;
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt((squares * count) / (count - 1)) / count };
}
