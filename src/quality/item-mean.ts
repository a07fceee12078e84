import { meanOf } from '../statistics/mean.ts';
import { bettingInterval } from '../statistics/betting.ts';
import { bootstrapMeanInterval } from '../statistics/bootstrap-mean.ts';
import type { Interval } from '../statistics/resample.ts';
import { meanInterval } from '../statistics/student.ts';
import { boundedMeanInterval } from './bounded-mean.ts';

/** How an interval came about. `betting`: it holds whenever one stops. `none`: nothing bounds the mean, so its ends are infinite. */
export const intervalMethods = ['student', 'bootstrap', 'bounded', 'betting', 'none'] as const;
export type IntervalMethod = (typeof intervalMethods)[number];

export interface ItemMean extends Interval {
  readonly mean: number;
  readonly count: number;
  readonly method: IntervalMethod;
}

export interface ItemMeanOptions {
  /** What a value can be; null where that is not known. */
  readonly range: Interval | null;
  /** One-sided error at each end: .025 for a 95 % interval. */
  readonly tail: number;
  readonly seed: number;
  /** How items ended that were watched one by one. */
  readonly watched?: Watched | undefined;
}

/** `stopped`: before the last item, as enough was shown. `ended`: with the last item. */
export type Watched = 'stopped' | 'ended';

/** The share of an end's error that is spent on stopping early; the rest is for the interval of those that were not stopped. */
export const watchingShare = 1 / 10;

/** From here on the mean of even skewed items is normal enough for Student's interval. */
const manyItems = 200;
/** The studentised bootstrap needs as many. */
const fewItems = 5;
/** Whole-number scores without a known range: as many items must differ from the most frequent value. */
const variedItems = 30;

/**
 * The mean over independent items and its interval. The method follows from what the items show:
 * - more than half of them distinct: their own spread is trusted, by the studentised bootstrap from 5 items, by Student's t from 200;
 * - else (scores of right and wrong, or no difference at all) the spread says little of what was not seen, so only the range counts:
 *   `boundedMeanInterval`, which never has zero width. Where no finite range is known, Student's t if 30 items differ
 *   from the most frequent value, and otherwise no interval.
 * Of items that were watched, and could have been stopped at any, a stop gives the interval that holds at every number of items at once
 * (`bettingInterval`), with a tenth of the error; where none came, the interval above has the rest, so that both together keep it.
 * Simulated, an end of 5 % misses 4 to 7 % of the time from 12 items on, 9 % for six items of exponential loss.
 * Misleading when a rare failure is not among the items although the others vary: the measured spread is then too small.
 * @throws RangeError on no values, a value that is not finite, or outside the range
 */
export function itemMean(values: readonly number[], { range, tail, seed, watched }: ItemMeanOptions): ItemMean {
  const stray = values.find((value) => !Number.isFinite(value));
  if (stray !== undefined || values.length === 0) throw new RangeError(`itemMean: needs finite values, got ${stray ?? 'none'}`);
  const count = values.length;
  const mean = meanOf(values);
  const method = watched === 'stopped' ? 'betting' : methodFor(values, range);
  const within = clip(range);
  const interval = intervalBy(method, values, { range, seed });
  const error = { low: errorAt(range?.low, tail, watched), high: errorAt(range?.high, tail, watched) };
  const low = interval(error.low);
  const high = error.high === error.low ? low : interval(error.high);
  return { mean, count, method, ...within({ low: low.low, high: high.high }) };
}

/** What is left of an end's error. Where the range has no such end, betting says nothing of it, and spends nothing. */
function errorAt(end: number | undefined, tail: number, watched: Watched | undefined): number {
  if (watched === undefined || !Number.isFinite(end ?? NaN)) return tail;
  return watched === 'stopped' ? tail * watchingShare : tail * (1 - watchingShare);
}

function intervalBy(
  method: IntervalMethod,
  values: readonly number[],
  { range, seed }: Pick<ItemMeanOptions, 'range' | 'seed'>,
): (tail: number) => Interval {
  const unbounded = { low: -Infinity, high: Infinity };
  const methods: Readonly<Record<IntervalMethod, (tail: number) => Interval>> = {
    student: (tail) => meanInterval(values, tail),
    bootstrap: (tail) => bootstrapMeanInterval(values, { seed, tail, replicates: 4999 }),
    bounded: (tail) => boundedMeanInterval(values, { range: range!, tail, seed }),
    betting: (tail) => bettingInterval(values, range ?? unbounded, tail),
    none: () => unbounded,
  };
  return methods[method];
}

function methodFor(values: readonly number[], range: Interval | null): IntervalMethod {
  // Ten digits: .3 − .2 and .2 − .1 are one difference.
  const keys = values.map((value) => value.toPrecision(10));
  const times = new Map<string, number>();
  for (const key of keys) times.set(key, (times.get(key) ?? 0) + 1);
  const most = Math.max(...times.values());
  if (values.length >= fewItems && 2 * times.size > values.length) return values.length >= manyItems ? 'student' : 'bootstrap';
  if (range !== null && (Number.isFinite(range.low) || Number.isFinite(range.high))) return 'bounded';
  return values.length - most >= variedItems ? 'student' : 'none';
}

function clip(range: Interval | null): (interval: Interval) => Interval {
  if (range === null) return ({ low, high }) => ({ low, high });
  return ({ low, high }) => ({ low: Math.max(low, range.low), high: Math.min(high, range.high) });
}
