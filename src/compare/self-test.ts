import type { Comparison, Verdict } from '../contract/verdict.ts';
import type { Rule } from '../decide/rule.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { slowedEntry } from '../measure/slowed-adapter.ts';

/** The slowdown that a self-test injects, in margins. */
const injected = 2;
/** Blind comparisons that are named. */
const mostNamed = 3;

/** Whether a comparison turns red for a slowdown: it decides, and compares times with the base's. A ratio's limit has no margin. */
export function seesSlowdowns({ rule: { metric, decides, direction, limit } }: { readonly rule: Rule }): boolean {
  return (
    decides &&
    direction === 'lower' &&
    (metric === 'latency' || metric === 'cpu-time' || (metric === 'ratio-to-reference' && limit === null))
  );
}

/** The same with a new arm that is slower by twice the margin. Its limit is left out: what exceeds that is red without any slowdown. */
export function slowedTask<Task extends { readonly plan: CellPlan; readonly rule: Rule }>(task: Task): Task {
  const { plan, rule } = task;
  return { ...task, plan: { ...plan, entry: slowedEntry(plan.entry, injected * rule.margin) }, rule: { ...rule, limit: null } };
}

/** What a comparison with a slowed arm says of its gate: it passes where it was called a regression. */
export function selfTested(comparison: Comparison, { margin, absoluteFloor }: Rule): Comparison {
  const { outcome, reason } = comparison;
  const size = `an injected slowdown of ${Number((100 * injected * margin).toPrecision(3))} %`;
  if (outcome === 'regression') return { ...comparison, outcome: 'pass', reason: `${size} was seen: ${reason}` };
  if (outcome === 'error' || outcome === 'incomplete') return comparison;
  if (comparison.busy === true) return { ...comparison, onInconclusive: 'fail', reason: `${size} was not seen: ${reason}` };
  const fix = `use more blocks (--max-blocks 80), a quieter host${absoluteFloor > 0 ? ', a smaller absoluteFloor' : ''} or a larger margin`;
  // An inconclusive reason ends in advice of its own.
  const found = outcome === 'inconclusive' ? outcome : `${outcome}: ${reason}`;
  return { ...comparison, outcome: 'inconclusive', onInconclusive: 'fail', reason: `${size} was not seen (${found}): ${fix}` };
}

/** A self-test in a sentence or two: which cells cannot fail, and what to do. */
export function selfTestSummary({ comparisons, outcome, summary }: Pick<Verdict, 'comparisons' | 'outcome' | 'summary'>): string {
  if (comparisons.length === 0) return 'No gate compares times with the base, so there is nothing that an injected slowdown could break.';
  if (outcome === 'pass')
    return `The gate can fail: it saw a slowdown of twice the margin in ${comparisons.length === 1 ? 'the one comparison' : `all ${comparisons.length} comparisons`}.`;
  const blind = comparisons.filter((comparison) => comparison.outcome === 'inconclusive');
  if (blind.length === 0) return summary;
  const names = blind.slice(0, mostNamed).map(({ name, cell, reason }) => `${name} (${cell}): ${reason}`);
  const more = blind.length > mostNamed ? `; and ${blind.length - mostNamed} more` : '';
  return `${blind.length} of ${comparisons.length} comparisons cannot see a slowdown of twice their margin: ${names.join('; ')}${more}.`.slice(
    0,
    2000,
  );
}
