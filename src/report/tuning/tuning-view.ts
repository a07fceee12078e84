import type { FinishedRecord, TuningCandidateRecord, StoredTuningRecord } from '../../tuning/record.ts';
import { oneLine } from '../../text/untrusted.ts';
import { shorten } from '../../text/layout.ts';
import type { Series } from '../charts/encode-series.ts';
import { numbered } from '../comparison/column-names.ts';
import { measureOf } from './measure.ts';
import type { Measure } from './measure.ts';

/** A tuning as its sections read it: its attentions under names that differ and fit. */
export interface TuningView {
  readonly record: StoredTuningRecord;
  readonly measure: Measure;
  /** The baseline's attention. */
  readonly baseline: string;
  readonly candidates: readonly NamedCandidate[];
  /** Baseline first. */
  readonly series: readonly Series[];
}

export interface NamedCandidate {
  readonly name: string;
  readonly found: TuningCandidateRecord;
}

/** Columns and marks hold names of this length. */
const mostCharacters = 60;

/** A record with what all its sections need. */
export function viewOf(record: StoredTuningRecord): TuningView {
  const given = [record.settings.baseline, ...record.candidates.map(({ candidate }) => candidate)];
  const names = numbered(given.map((name) => shorten(oneLine(name), mostCharacters) || 'unnamed'));
  return {
    record,
    measure: measureOf(record),
    baseline: names[0]!,
    candidates: record.candidates.map((found, index) => ({ name: names[index + 1]!, found })),
    series: names.map((name) => ({ name, variant: /^[a-z]+(-[a-z]+)*/.exec(name)?.[0] ?? name })),
  };
}

/** The mean test score over seeds; null where a training diverged, or there is none. */
export function meanTest(trials: readonly FinishedRecord[]): number | null {
  const means = trials.map(({ test }) => test.mean);
  if (means.length === 0 || means.includes(null)) return null;
  return means.reduce<number>((sum, mean) => sum + mean!, 0) / means.length;
}
