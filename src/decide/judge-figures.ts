import type { Comparison } from '../contract/verdict.ts';
import { stub } from './rule.ts';
import type { Rule, ComparisonSubject } from './rule.ts';

/** Judges two figures that carry no noise: the same inputs give them again on any machine. */
export function judgeFigures(subject: ComparisonSubject, rule: Rule, figures: { base: number | null; new: number }): Comparison {
  const { base } = figures;
  const fresh = figures.new;
  const worse = (from: number) => (rule.direction === 'lower' ? fresh - from : from - fresh);
  const shared = { ...stub(subject, rule), base, new: fresh };
  if (rule.limit !== null && worse(rule.limit) > 0) {
    return { ...shared, outcome: 'regression', reason: `${fresh} is worse than the limit of ${rule.limit}` };
  }
  if (base === null) return { ...shared, outcome: 'pass', reason: `${fresh} is within the limit of ${rule.limit}` };
  const change = worse(base);
  const relative = change === 0 ? 0 : change / Math.abs(base);
  const effect =
    base === 0 ? null : { estimate: (fresh - base) / base, low: (fresh - base) / base, high: (fresh - base) / base, confidence: 1 };
  const against = { ...shared, effect };
  if (Math.abs(change) < rule.absoluteFloor)
    return { ...against, outcome: 'pass', reason: `the change is below the absolute floor of ${rule.absoluteFloor}` };
  if (relative > rule.margin)
    return { ...against, outcome: 'regression', reason: `worse by ${percent(relative)}, more than the margin of ${percent(rule.margin)}` };
  if (relative < -rule.margin) return { ...against, outcome: 'improvement', reason: `better by ${percent(-relative)}` };
  return {
    ...against,
    outcome: 'pass',
    reason: change === 0 ? 'unchanged' : `a change of ${percent(relative)}, within the margin of ${percent(rule.margin)}`,
  };
}

/** The new figure itself may not be worse than the rule's limit, whatever the comparison with the base says; a busy host gives none. */
export function heldToLimit(comparison: Comparison, { limit, direction }: Rule): Comparison {
  const { new: fresh, unit } = comparison;
  if (limit === null || fresh === null || (direction === 'lower' ? fresh <= limit : fresh >= limit)) return comparison;
  return { ...comparison, outcome: 'regression', reason: `${fresh} ${unit} is worse than the limit of ${limit}` };
}

function percent(share: number): string {
  return Number.isFinite(share) ? `${Number((100 * share).toPrecision(3))} %`.replace('-', '−') : 'from nothing';
}

/** A comparison without figures. */
export function judgeMissing(
  subject: ComparisonSubject,
  rule: Rule,
  outcome: 'incomplete' | 'incomparable' | 'refused' | 'error',
  reason: string,
): Comparison {
  return { ...stub(subject, rule), outcome, reason };
}
