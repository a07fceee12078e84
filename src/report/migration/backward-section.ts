import type { StoredMigrationRecord } from '../../migration/record.ts';
import { size, time } from '../../text/figures.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Section } from '../document.ts';
import { changeCell, nameOf } from './candidate-sections.ts';
import type { CandidateRecord } from './candidate-sections.ts';

/** A call forward and backward: the original by length, and each candidate; undefined where none was measured. */
export function backwardSection(
  { baseline, settings }: StoredMigrationRecord,
  candidates: readonly CandidateRecord[],
): Section | undefined {
  if (!baseline.backward) return undefined;
  const compared = candidates.flatMap(({ name, backward }) =>
    backward ? [[...words(nameOf(name)), changeCell(backward.latency), changeCell(backward.memory)]] : [],
  );
  return {
    id: 'backward',
    title: 'Forward and backward',
    lead: 'One call and the gradients of all parameters, without an optimizer and without dropout. The verdict does not rest on it.',
    parts: [
      {
        kind: 'table',
        title: 'Original by length',
        columns: numeric('tokens', 'time', 'from', 'to', 'peak memory'),
        rows: baseline.backward.map(({ length, medianNs, lowNs, highNs, peakHostBytes }) => [
          figureCell(length, String),
          ...[medianNs, lowNs, highNs].map((value) => figureCell(value, time)),
          figureCell(peakHostBytes, size),
        ]),
      },
      ...(compared.length === 0
        ? []
        : [
            {
              kind: 'table' as const,
              title: `Candidates at ${settings.compareAt} tokens`,
              columns: [{ title: 'candidate' }, ...numeric('time', 'peak memory')],
              rows: compared,
            },
          ]),
    ],
  };
}
