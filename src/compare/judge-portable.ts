import type { Comparison, Metric } from '../contract/verdict.ts';
import { judgeFigures, judgeMissing } from '../decide/judge-figures.ts';
import { stub, varies } from '../decide/rule.ts';
import type { Rule, ComparisonSubject } from '../decide/rule.ts';
import type { Portable } from './portable-schema.ts';

/**
 * A figure measured here against one of any machine. Figures without noise are judged. What varies is shown, and decides nothing, its limit
 * neither: one launch beside unknown other work may give anything.
 */
export function judgePortable(subject: ComparisonSubject, rule: Rule, fresh: number, { figures, host }: Portable): Comparison {
  const { metric } = rule;
  const base = stored(figures, subject, metric);
  if (!varies(metric))
    return base === undefined
      ? judgeMissing(subject, rule, 'incomplete', `the baseline has no ${metric} for this cell`)
      : judgeFigures(subject, rule, { base, new: fresh });
  const reason = `${metric} varies between machines and the baseline is from another one (${host.cpu}), so it is not judged`;
  return { ...stub(subject, { ...rule, decides: false }), base: base ?? null, new: fresh, outcome: 'incomparable', reason };
}

function stored(figures: Portable['figures'], { cell }: ComparisonSubject, metric: Metric): number | undefined {
  const own: Partial<Record<Metric, number>> = Object.hasOwn(figures, cell) ? figures[cell]! : {};
  return own[metric];
}
