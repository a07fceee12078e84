/** A figure of one column over the base column's, with its interval where there is one. */
export interface Ratio {
  readonly value: number;
  readonly interval: { readonly low: number; readonly high: number } | null;
}

/** The centre of many ratios; `least` and `most` are single ones, not an interval. */
export interface MeanRatio {
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly cells: number;
}

export interface MedianWithInterval {
  readonly medianNs: number;
  readonly ciNs: { readonly low: number; readonly high: number };
}

/**
 * The ratio of two medians, without unit. Its interval joins theirs in logarithms: the distances from median to end, upper and lower
 * each for itself, are added in quadrature, a numerator's upper one to a denominator's lower one. It covers the spread inside the two
 * processes, as if they were independent and their ends of one coverage. How medians vary from process to
 * process and from day to day is in neither record, and is often more; small samples give intervals between order statistics of less
 * than 95 %, and joined ones inherit it. It is no verdict: `attnswap ab` measures in pairs, and judges.
 * @returns null where a median is 0: the timer was too coarse
 */
export function ratioOfMedians(fresh: MedianWithInterval, base: MedianWithInterval): Ratio | null {
  if (!(fresh.medianNs > 0 && base.medianNs > 0)) return null;
  const value = fresh.medianNs / base.medianNs;
  if (!(fresh.ciNs.low > 0 && base.ciNs.low > 0)) return { value, interval: null };
  const [above, below] = [reaches(fresh), reaches(base)];
  return {
    value,
    interval: { low: value * Math.exp(-Math.hypot(above.down, below.up)), high: value * Math.exp(Math.hypot(above.up, below.down)) },
  };
}

/** How far the ends lie from the median, in logarithms, never below 0. */
function reaches({ medianNs, ciNs }: MedianWithInterval): { up: number; down: number } {
  return { up: Math.max(0, Math.log(ciNs.high / medianNs)), down: Math.max(0, Math.log(medianNs / ciNs.low)) };
}

/** A size over another, without noise; null where either is absent or 0. */
export function ratioOfSizes(fresh: number | null, base: number | null): number | null {
  return fresh === null || base === null || !(fresh > 0 && base > 0) ? null : fresh / base;
}

/**
 * The geometric mean: the same whichever side is the base, inverted. Every cell weighs the same, whether it takes a microsecond or a
 * second; where cells go opposite ways it hides both. null of no ratios.
 */
export function geometricMean(ratios: readonly number[]): MeanRatio | null {
  if (ratios.length === 0) return null;
  const value = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  let [least, most] = [Infinity, 0];
  for (const ratio of ratios) {
    least = Math.min(least, ratio);
    most = Math.max(most, ratio);
  }
  return { value, least, most, cells: ratios.length };
}
