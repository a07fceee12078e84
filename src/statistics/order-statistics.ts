/**
 * An interval between two order statistics of the sample, in the samples' unit. `coverage` is what the interval attains,
 * never below the confidence asked for, unless the sample is too small for it: then it is [minimum, maximum].
 */
export interface OrderInterval {
  readonly low: number;
  readonly high: number;
  readonly coverage: number;
}

/**
 * Estimates the population's median: the middle sample, or the mean of the two middle ones.
 * Unmoved by up to half the samples being wild. Biased towards the bulk's side where the density is skewed and the count
 * even; the bias vanishes as 1/n. Of a bimodal sample it may be a duration that no call ever took.
 * @throws RangeError on an empty sample
 */
export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/**
 * Estimates spread: the median distance to the median, in the samples' unit, not scaled by 1.4826 (which would make it
 * the standard deviation of a normal). Biased low in small samples (by about a tenth at n = 10). It is 0 whenever half of
 * the samples tie, as they do where the timer is coarse: then it says nothing about noise.
 * @throws RangeError on an empty sample
 */
export function medianAbsoluteDeviation(samples: readonly number[]): number {
  const middle = median(samples);
  return median(samples.map((sample) => Math.abs(sample - middle)));
}

/**
 * The p-quantile by linear interpolation between order statistics at rank 1 + (n − 1)·p: Hyndman and Fan's definition 7
 * (The American Statistician 50(4), 1996), NumPy's and tinybench's default. For p near 1 and n < 1/(1 − p) it is little
 * else than the maximum, and is biased low.
 * @throws RangeError on an empty sample or p outside [0, 1]
 */
export function quantile(samples: readonly number[], p: number): number {
  return quantileSorted(samples.toSorted(ascending), p);
}

/** {@link quantile} of samples that are in ascending order already. */
export function quantileSorted(sorted: ArrayLike<number>, p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`quantile: p must lie in [0, 1], got ${p}`);
  const rank = (sorted.length - 1) * p;
  const below = at(sorted, Math.floor(rank));
  return below + (rank - Math.floor(rank)) * (at(sorted, Math.ceil(rank)) - below);
}

/**
 * A distribution-free 95 % interval of the median: the number of samples below it is Binomial(n, ½), so [x₍d₎, x₍n+1−d₎] holds it
 * with probability 1 − 2·P(B < d) whatever the distribution (David and Nagaraja, Order Statistics, 3rd ed., §7.1).
 * Needs 6 samples. Misleading in two ways. Samples of one process are autocorrelated: the interval is narrower than
 * the truth, and says nothing of what another launch would give. And where sampling stopped because this interval became
 * narrow, its coverage is below the nominal one. Use it to stop sampling and to show spread, never to compare two arms.
 * @param sorted samples in ascending order
 * @throws RangeError on an empty sample
 */
export function medianIntervalSorted(sorted: readonly number[]): OrderInterval {
  const { depth, coverage } = intervalDepth(sorted.length);
  return { low: at(sorted, depth - 1), high: at(sorted, sorted.length - depth), coverage };
}

/** The deepest d ≥ 1 whose interval still covers 95 %, with its coverage; d = 1 where none does. */
function intervalDepth(count: number): { depth: number; coverage: number } {
  // P(B = 0) in logarithms: 2⁻ⁿ underflows from n = 1075 on.
  let logProbability = -count * Math.LN2;
  let below = Math.exp(logProbability);
  let depth = 1;
  for (; depth < Math.ceil(count / 2); depth++) {
    logProbability += Math.log((count - depth + 1) / depth);
    const next = below + Math.exp(logProbability);
    if (next > 0.025) break;
    below = next;
  }
  return { depth, coverage: count === 1 ? 0 : 1 - 2 * below };
}

function ascending(a: number, b: number): number {
  return a - b;
}

function at(sorted: ArrayLike<number>, index: number): number {
  const value = sorted[index];
  if (value === undefined) throw new RangeError('order statistics need at least one sample');
  return value;
}
