import { normalQuantile } from './normal.ts';
import type { OrderInterval } from './order-statistics.ts';
import { median } from './order-statistics.ts';

/** A line y = intercept + slope·x; `low`, `high` and `coverage` are of the slope. */
export interface TheilSenLine extends OrderInterval {
  readonly slope: number;
  readonly intercept: number;
}

/** From here on Kendall's statistic is taken for normal: its tail of 2.5 % is then right to 1e-4. */
const exactUpTo = 60;

/**
 * Theil–Sen's line: the median of the slopes between all pairs of points of different x, and the median of y − slope·x. Unbiased for
 * independent errors that are symmetric or alike at every x; unmoved by up to 29 % of the points being wild. The slope's interval
 * inverts Kendall's test (Sen, JASA 63, 1968): it lies between two order statistics of the slopes and covers the true one at least as
 * often as asked for whatever the errors' distribution. `coverage` says what it attains; it needs 5 points of different
 * x for 95 %, and is the whole range of the slopes below that. Misleading when errors are autocorrelated, or when the relation is no
 * line: of logarithms, memory of n² + n bytes has a slope between 1 and 2 that depends on the lengths measured.
 * Time and space grow with the square of the number of points.
 * @throws RangeError on x and y of different lengths, a figure that is not finite, or no two different x
 */
export function theilSen(x: readonly number[], y: readonly number[], confidence = 0.95): TheilSenLine {
  const slopes = pairwiseSlopes(x, y);
  const { depth, coverage } = slopeDepth(tieSizes(x), slopes.length, (1 - confidence) / 2);
  const slope = median(slopes);
  const intercept = median(x.map((value, index) => y[index]! - slope * value));
  return { slope, intercept, low: slopes[depth - 1]!, high: slopes[slopes.length - depth]!, coverage };
}

function pairwiseSlopes(x: readonly number[], y: readonly number[]): number[] {
  if (x.length !== y.length) throw new RangeError(`theilSen: got ${x.length} x and ${y.length} y`);
  if (![...x, ...y].every(Number.isFinite)) throw new RangeError('theilSen: x and y must be finite');
  const slopes: number[] = [];
  for (let i = 0; i < x.length; i += 1) {
    for (let j = i + 1; j < x.length; j += 1) {
      if (x[i] !== x[j]) slopes.push((y[j]! - y[i]!) / (x[j]! - x[i]!));
    }
  }
  if (slopes.length === 0) throw new RangeError('theilSen: needs two points of different x');
  return slopes.sort((a, b) => a - b);
}

/** The deepest d ≥ 1 with P(D < d) ≤ tail, D being the number of slopes below the true one; d = 1 where none is. */
function slopeDepth(ties: readonly number[], pairs: number, tail: number): { depth: number; coverage: number } {
  const points = ties.reduce((sum, size) => sum + size, 0);
  if (points > exactUpTo) {
    const spread = (sizes: readonly number[]) => sizes.reduce((sum, t) => sum + (t * (t - 1) * (2 * t + 5)) / 72, 0);
    const deviation = Math.sqrt(spread([points]) - spread(ties));
    return { depth: Math.max(1, Math.floor(pairs / 2 + 0.5 + normalQuantile(tail) * deviation)), coverage: 1 - 2 * tail };
  }
  const probabilities = discordanceProbabilities(ties);
  let depth = 1;
  let below = probabilities[0]!;
  for (; 2 * depth < pairs && below + probabilities[depth]! <= tail; depth += 1) below += probabilities[depth]!;
  return { depth, coverage: 1 - 2 * below };
}

/** How often each x occurs. */
function tieSizes(x: readonly number[]): number[] {
  const counts = new Map<number, number>();
  for (const value of x) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts.values()];
}

/**
 * P(D = d), d = 0 … number of pairs from different groups, where all orders of the points are equally likely and D counts the pairs
 * from different groups that stand in the wrong order: Kendall's statistic with ties in x, and Mann and Whitney's U for two groups. Its
 * generating function is the q-multinomial coefficient, here built factor by factor (1 − qᵃ)/(1 − qᵇ) (Kendall, Rank Correlation
 * Methods, ch. 5); right to 1e-12.
 */
export function discordanceProbabilities(groups: readonly number[]): Float64Array {
  const total = groups.reduce((sum, size) => sum + size, 0);
  const withinGroups = groups.reduce((sum, size) => sum + (size * (size - 1)) / 2, 0);
  const probabilities = new Float64Array((total * (total - 1)) / 2 - withinGroups + 1);
  probabilities[0] = 1;
  let joined = 0;
  for (const size of groups) {
    for (let member = 1; member <= size; member += 1) multiplyByFactor(probabilities, joined + member, member);
    joined += size;
  }
  return probabilities;
}

/** Multiplies a series by (1 − qᵃ)/(1 − qᵇ)·b/a, in place. */
function multiplyByFactor(series: Float64Array, a: number, b: number): void {
  if (a === b) return;
  for (let power = series.length - 1; power >= a; power -= 1) series[power] = series[power]! - series[power - a]!;
  for (let power = b; power < series.length; power += 1) series[power] = series[power]! + series[power - b]!;
  for (let power = 0; power < series.length; power += 1) series[power] = (series[power]! * b) / a;
}
