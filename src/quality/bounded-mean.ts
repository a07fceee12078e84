import { quantileSorted } from '../statistics/order-statistics.ts';
import type { Interval } from '../statistics/resample.ts';
import { seededGenerator } from '../statistics/resample.ts';

export interface BoundedMeanOptions {
  /** What a value can be; an infinite end leaves that end of the interval infinite. */
  readonly range: Interval;
  /** One-sided error at each end. */
  readonly tail: number;
  readonly seed: number;
  readonly replicates?: number;
}

/**
 * An interval of the mean of values that lie in a known range, with nothing else assumed: Gaffke's bound (Learned-Miller and Thomas, «A new
 * confidence interval for the mean of a bounded random variable», 2019). Each end is a quantile of the mean under uniform (Dirichlet) random
 * weights of the values and of one more value at the end of the range, for what was not seen yet. Of values 0 and 1 it is Clopper and
 * Pearson's exact interval. Of n equal values it is closed: a share 1 − tail^(1/n) of unseen items, the rule of three's 3/n for 5 %, may lie
 * at the end of the range. Never too narrow in any simulation known, though proved only for special cases. The price is width:
 * about 3/n of the range on each side, whatever the values' spread. Otherwise drawn by Monte Carlo, the same for the same seed.
 * @throws RangeError on no values, values outside the range, or a tail outside (0, ½)
 */
export function boundedMeanInterval(values: readonly number[], options: BoundedMeanOptions): Interval {
  const { range, tail } = options;
  if (values.length === 0) throw new RangeError('boundedMeanInterval: needs at least one value');
  if (!(tail > 0 && tail < 0.5)) throw new RangeError(`boundedMeanInterval: tail must lie in (0, 0.5), got ${tail}`);
  const stray = values.find((value) => !(value >= range.low && value <= range.high));
  if (stray !== undefined) throw new RangeError(`boundedMeanInterval: ${stray} is outside ${range.low} to ${range.high}`);
  const first = values[0]!;
  if (values.every((value) => value === first)) {
    const unseen = unseenShare(values.length, tail);
    return { low: first - unseen * (first - range.low), high: first + unseen * (range.high - first) };
  }
  const draws = weightedDraws(values, options);
  const end = (value: number, p: number) => {
    const means = draws.map(({ rest, unseen }) => rest + unseen * value);
    return quantileSorted(
      means.sort((a, b) => a - b),
      p,
    );
  };
  return {
    low: Number.isFinite(range.low) ? end(range.low, tail) : -Infinity,
    high: Number.isFinite(range.high) ? end(range.high, 1 - tail) : Infinity,
  };
}

/** The largest share of items that may differ from n which were all alike, with confidence 1 − tail. */
export function unseenShare(count: number, tail: number): number {
  return 1 - tail ** (1 / count);
}

/** The fewest items that, all alike, leave no more than `share` for what was not seen. @throws RangeError on a share outside (0, 1) */
export function itemsNeeded(share: number, tail: number): number {
  if (!(share > 0 && share < 1)) throw new RangeError(`itemsNeeded: share must lie in (0, 1), got ${share}`);
  return Math.ceil(Math.log(tail) / Math.log1p(-share));
}

/** Under each draw of random weights: what the values add to the mean, and the weight of one that was not seen. Equal values are drawn together. */
function weightedDraws(values: readonly number[], { seed, replicates = 4999 }: BoundedMeanOptions): { rest: number; unseen: number }[] {
  const generator = seededGenerator(seed, 'bounded-mean');
  const uniform = () => ((generator.next() >>> 0) + 0.5) / 0x1_0000_0000;
  const times = new Map<number, number>();
  for (const value of values) times.set(value, (times.get(value) ?? 0) + 1);
  const groups = [...times];
  return Array.from({ length: replicates }, () => {
    const own = -Math.log(uniform());
    let total = own;
    let sum = 0;
    for (const [value, count] of groups) {
      const weight = sumOfExponentials(count, uniform);
      total += weight;
      sum += weight * value;
    }
    return { rest: sum / total, unseen: own / total };
  });
}

/** The sum of `count` unit exponentials: one by one where few, else by Marsaglia and Tsang's rejection (ACM TOMS 26, 2000), exact as well. */
function sumOfExponentials(count: number, uniform: () => number): number {
  if (count <= 4) {
    let product = uniform();
    for (let factor = 1; factor < count; factor += 1) product *= uniform();
    return -Math.log(product);
  }
  const d = count - 1 / 3;
  for (;;) {
    const z = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    const v = (1 + z / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(uniform()) < 0.5 * z * z + d - d * v + d * Math.log(v)) return d * v;
  }
}
