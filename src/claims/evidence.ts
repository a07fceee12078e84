import type { ClaimFigure } from '../contract/claims.ts';
import type { RunRecord } from '../contract/run.ts';
import type { StoredMigrationRecord } from '../migration/record.ts';
import type { StoredTuningRecord } from '../tuning/record.ts';

/** A record that figures are read from, with the path that it lies at. */
export type Evidence = { readonly path: string } & (
  | { readonly kind: 'migration'; readonly record: StoredMigrationRecord }
  | { readonly kind: 'tuning'; readonly record: StoredTuningRecord }
  | { readonly kind: 'run'; readonly record: RunRecord }
);

/** A figure as a record gives it, not yet judged. */
export type Figure = Omit<ClaimFigure, 'source' | 'standing' | 'note'> & { readonly note?: string };

/** How figures are read from records of each kind, the one that decides first; a kind that is absent has none. */
export interface Readers {
  readonly migration?: (record: StoredMigrationRecord) => readonly Figure[];
  readonly tuning?: (record: StoredTuningRecord) => readonly Figure[];
  readonly run?: (record: RunRecord) => readonly Figure[];
}

export function figuresIn(evidence: Evidence, { migration, tuning, run }: Readers): readonly Figure[] {
  if (evidence.kind === 'migration') return migration?.(evidence.record) ?? [];
  if (evidence.kind === 'tuning') return tuning?.(evidence.record) ?? [];
  return run?.(evidence.record) ?? [];
}

/** A figure without noise. */
export function exactly(of: string, value: number, note = ''): Figure {
  return { of, value, low: value, high: value, note };
}

/** The figures with the same rising function of each. */
export function mapped(figures: readonly Figure[], rising: (value: number) => number): Figure[] {
  const end = (value: number | null) => (value === null ? null : rising(value));
  return figures.map(({ value, low, high, ...rest }) => ({ ...rest, value: rising(value), low: end(low), high: end(high) }));
}

/** The largest first. */
export function largestFirst(figures: readonly Figure[]): Figure[] {
  return figures.toSorted((a, b) => b.value - a.value);
}
