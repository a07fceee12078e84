import type { Comparison } from '../contract/verdict.ts';
import { meanOf } from '../statistics/mean.ts';
import { studentQuantile } from '../statistics/student.ts';
import { median } from '../statistics/order-statistics.ts';
import { judgeMissing } from './judge-figures.ts';
import { fixed } from '../text/figures.ts';
import { stub } from './rule.ts';
import type { Rule, ComparisonSubject } from './rule.ts';

/** Launches of each side that it takes to know how launches differ. */
export const leastLaunches = 3;

/**
 * Judges launches of now against launches stored earlier, by Welch's interval of the difference of their mean logarithms (Welch 1947; one
 * look, one-sided error .0175 divided by the family). Unlike paired blocks this compares the weather of two days: what drifted in between
 * is in the effect, and no statistics can take it out.
 * @param figures of each launch, one per process, above 0, in the metric's unit
 */
export function judgeLaunches(
  subject: ComparisonSubject,
  rule: Rule,
  figures: { base: readonly number[]; new: readonly number[] },
  given: { floor: number | null; family: number },
): Comparison {
  if (figures.base.length < leastLaunches) {
    const reason = `the baseline has ${figures.base.length} runs, but ${leastLaunches} are needed to know how much runs differ: measure and save more`;
    return judgeMissing(subject, rule, 'refused', reason);
  }
  const sign = rule.direction === 'lower' ? 1 : -1;
  const base = summary(figures.base);
  const fresh = summary(figures.new);
  const variance = base.variance / base.count + fresh.variance / fresh.count;
  const degrees =
    variance === 0
      ? base.count + fresh.count - 2
      : variance ** 2 / ((base.variance / base.count) ** 2 / (base.count - 1) + (fresh.variance / fresh.count) ** 2 / (fresh.count - 1));
  const mean = sign * (fresh.mean - base.mean);
  const reach = (tail: number) => studentQuantile(1 - tail, Math.max(1, degrees)) * Math.sqrt(variance);
  const ends = { low: mean - reach(0.0175), high: mean + reach(0.0175) };
  const strict = reach(0.0175 / given.family);
  const floor = Math.log1p(given.floor ?? 0);
  const shown = Math.max(Math.log1p(rule.margin) / 2, floor);
  const small = Math.abs(median(figures.new) - median(figures.base)) < rule.absoluteFloor;
  const outcome = small
    ? 'pass'
    : ends.low > shown && mean - strict > 0
      ? 'regression'
      : ends.high < -shown && mean + strict < 0
        ? 'improvement'
        : ends.high < Math.log1p(rule.margin)
          ? 'pass'
          : 'inconclusive';
  const change = (logRatio: number) => Math.expm1(sign * logRatio);
  const [low, high] = sign > 0 ? [change(ends.low), change(ends.high)] : [change(ends.high), change(ends.low)];
  const percent = (share: number) => `${fixed(100 * share, 1)} %`;
  return {
    ...stub(subject, rule),
    base: median(figures.base),
    new: median(figures.new),
    effect: { estimate: change(mean), low, high, confidence: 0.965 },
    floor: given.floor,
    outcome,
    reason: small
      ? `the change is below the absolute floor of ${rule.absoluteFloor}`
      : `${percent(low)} to ${percent(high)} against ${base.count} stored runs, ${fresh.count} launches now`,
    warnings: ['compared with a stored baseline: drift of this host since then counts as change'],
  };
}

function summary(figures: readonly number[]) {
  const logs = figures.map(Math.log);
  const mean = meanOf(logs);
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / Math.max(1, logs.length - 1);
  return { mean, variance, count: logs.length };
}
