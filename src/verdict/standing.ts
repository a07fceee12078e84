import type { Comparison, Outcome, Verdict } from '../contract/verdict.ts';

/** Worst first: what was shown, then what could not be measured, then what could not be told, then what is well. */
const bySeverity: readonly Outcome[] = [
  'regression',
  'error',
  'incomplete',
  'incomparable',
  'refused',
  'inconclusive',
  'pass',
  'improvement',
];

/** How loudly a comparison is reported: `error` and `warning` fail the verdict, `note` is shown only, `none` is well. */
export type Level = 'error' | 'warning' | 'note' | 'none';

export function levelOf({ outcome, decides, onInconclusive }: Comparison): Level {
  if (outcome === 'pass' || outcome === 'improvement') return 'none';
  if (!decides || (outcome === 'inconclusive' && onInconclusive === 'pass')) return 'note';
  return outcome === 'inconclusive' || outcome === 'refused' ? 'warning' : 'error';
}

/** By severity, those that decide before those that do not, then by name: the same comparisons in the same order everywhere. */
export function worstFirst(comparisons: readonly Comparison[]): Comparison[] {
  return comparisons.toSorted(
    (a, b) =>
      bySeverity.indexOf(a.outcome) - bySeverity.indexOf(b.outcome) ||
      Number(b.decides) - Number(a.decides) ||
      order(a.name, b.name) ||
      order(a.id, b.id),
  );
}

/** Whether the verdict fails by none of its comparisons, as where nothing was compared: it must be reported by itself. */
export function failsByItself({ exitCode, comparisons }: Verdict): boolean {
  return exitCode !== 0 && !comparisons.some((comparison) => ['error', 'warning'].includes(levelOf(comparison)));
}

const collator = new Intl.Collator('en', { numeric: true });

/** 512 before 1024, in one language everywhere; by code units where the language sees no difference. */
function order(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}
