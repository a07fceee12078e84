import type { Comparison, Outcome } from '../contract/verdict.ts';

/**
 * Exit code of each outcome, and which of several counts: what is shown to be worse first, then what could not be measured, then
 * what could not be told.
 */
const severity: ReadonlyArray<{ readonly outcome: Outcome; readonly exitCode: number }> = [
  { outcome: 'regression', exitCode: 1 },
  { outcome: 'error', exitCode: 5 },
  { outcome: 'incomplete', exitCode: 3 },
  { outcome: 'incomparable', exitCode: 4 },
  { outcome: 'refused', exitCode: 2 },
  { outcome: 'inconclusive', exitCode: 2 },
];

export interface Overall {
  readonly outcome: Outcome;
  readonly exitCode: number;
  readonly summary: string;
}

/** The verdict of a whole: passes only where every comparison that decides does. Nothing compared is never a pass. */
export function overall(comparisons: readonly Comparison[]): Overall {
  const deciding = comparisons.filter(({ decides }) => decides);
  if (deciding.length === 0) return { outcome: 'error', exitCode: 5, summary: 'Nothing was compared.' };
  const failing = deciding.filter(({ outcome, onInconclusive }) => !(outcome === 'inconclusive' && onInconclusive === 'pass'));
  for (const { outcome, exitCode } of severity) {
    const found = failing.filter((comparison) => comparison.outcome === outcome);
    if (found.length > 0)
      return {
        outcome,
        exitCode,
        summary: deciding.length === 1 ? alone(found[0]!) : `${sentence(outcome, found.length, deciding.length)} ${first(found)}`,
      };
  }
  const better = deciding.filter(({ outcome }) => outcome === 'improvement').length;
  const open = deciding.filter(({ outcome }) => outcome === 'inconclusive').length;
  const asides = [better > 0 ? `${better} improved` : '', open > 0 ? `${open} inconclusive, which the suite allows` : ''].filter(
    (text) => text !== '',
  );
  const aside = asides.length === 0 ? '' : ` (${asides.join(', ')})`;
  return {
    outcome: better === deciding.length ? 'improvement' : 'pass',
    exitCode: 0,
    summary: deciding.length === 1 ? alone(deciding[0]!) : `All ${deciding.length} comparisons pass${aside}.`,
  };
}

function sentence(outcome: Outcome, found: number, all: number): string {
  const words: Partial<Record<Outcome, string>> = {
    regression: 'regressed',
    error: 'failed with an error',
    incomplete: 'could not be measured',
  };
  return `${found} of ${all} comparisons ${words[outcome] ?? `${found === 1 ? 'is' : 'are'} ${outcome}`}:`;
}

function alone({ name, outcome, reason }: Comparison): string {
  return `${name}: ${outcome}: ${reason}.`.slice(0, 1500);
}

function first(found: readonly Comparison[]): string {
  const { name, metric, reason } = found[0]!;
  return `${name} (${metric}): ${reason}${found.length > 1 ? ', and others' : ''}.`.slice(0, 1500);
}
