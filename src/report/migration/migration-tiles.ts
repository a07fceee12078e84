import type { StoredMigrationRecord } from '../../migration/record.ts';
import { itemsText } from '../../quality/judgement.ts';
import { digits, signed, size, time } from '../../text/figures.ts';
import type { Tile } from '../document.ts';
import { comparisonTile, driftTile, emptyTile, plainTile, scoreTile } from '../tiles.ts';
import { boundsOf, nameOf } from './candidate-sections.ts';
import type { CandidateRecord } from './candidate-sections.ts';
import { meanOf } from '../../statistics/mean.ts';

/** What the verdict rests on: the last comparison where there was one, else the candidate that was judged, else the original alone. */
export function migrationTiles(record: StoredMigrationRecord, candidates: readonly CandidateRecord[]): Tile[] {
  const { final, settings, verdict } = record;
  const name = final?.candidate ?? candidates.find(({ decision }) => decision.verdict === verdict)?.name ?? candidates[0]?.name;
  const judged = candidates.find((candidate) => candidate.name === name);
  if (final === null && judged === undefined) return originalTiles(record);
  const at = (
    compared: NonNullable<StoredMigrationRecord['final']>['latency'] | undefined,
    otherwise: CandidateRecord['latency'] | undefined,
  ) => {
    const found = compared?.find(({ length }) => length === settings.compareAt) ?? compared?.at(-1);
    const { length, comparison } = found ?? { length: settings.compareAt, comparison: otherwise };
    return { of: `whole model, ${length} tokens`, comparison };
  };
  const latency = at(final?.latency, judged?.latency);
  const memory = at(final?.memory, judged?.memory);
  const decode = final?.decode?.latency.find(({ length }) => length === settings.compareAt)?.comparison ?? judged?.decode?.latency;
  return [
    comparisonTile(judged?.decode ? 'Prefill' : 'Latency', latency.of, latency.comparison),
    ...(judged?.decode ? [comparisonTile('Time per token', `decode, ${settings.compareAt} cached tokens`, decode)] : []),
    comparisonTile('Peak memory', memory.of, memory.comparison),
    qualityTile(record, judged?.quality),
  ];
}

function qualityTile({ settings, metric, baseline }: StoredMigrationRecord, quality: CandidateRecord['quality'] | undefined): Tile {
  if (quality === null || quality === undefined) return emptyTile('Quality', 'not judged');
  const { judgement, task } = quality;
  if (task === null) return driftTile(metric === null ? 'drift of the outputs, no task' : 'drift of the outputs', judgement);
  const { base, difference } = task;
  const mean = baseline.scores === null || baseline.scores.length === 0 ? base : meanOf(baseline.scores);
  return scoreTile({
    of: `${metric === null ? 'score' : nameOf(metric)}, ${itemsText(task)}`,
    base,
    new: task.new,
    difference,
    ...boundsOf(task),
    judgedBy: 'each end is a one-sided 95 % bound',
    margin: settings.qualityMargin * Math.abs(mean),
    outcome: judgement.outcome,
    text: digits,
    differenceText: (value) => signed(value, digits(Math.abs(value))),
  });
}

function originalTiles({ baseline }: StoredMigrationRecord): Tile[] {
  const longest = baseline.lengths.at(-1);
  if (longest === undefined) return [];
  const of = `original, ${longest.length} tokens`;
  const quality =
    baseline.scores === null || baseline.scores.length === 0
      ? emptyTile('Quality', 'no task')
      : plainTile('Quality', `original, ${baseline.scores.length} items`, digits(meanOf(baseline.scores)));
  return [plainTile('Latency', of, time(longest.medianNs)), plainTile('Peak memory', of, size(longest.peakHostBytes)), quality];
}
