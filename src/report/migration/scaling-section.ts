import type { StoredMigrationRecord } from '../../migration/record.ts';
import { shardedBy } from '../../migration/scaling.ts';
import type { RankCost } from '../../migration/scaling.ts';
import { digits, percent, size, time } from '../../text/figures.ts';
import { clip } from '../../text/layout.ts';
import { oneLine } from '../../text/untrusted.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Section, TableCell } from '../document.ts';
import { nameOf } from './candidate-sections.ts';

/** What several ranks cost and gain in training; undefined where one process trained. */
export function scalingSection({ scaling, settings }: StoredMigrationRecord): Section | undefined {
  if (!scaling) return undefined;
  const { ranks: count, threads, attentions } = scaling;
  const measured = attentions.filter((each) => 'ranks' in each);
  const lines = attentions.flatMap((each) =>
    'failure' in each ? `${nameOf(each.candidate)} was not timed: ${clip(oneLine(each.failure), 600)}` : [],
  );
  const threadsText = `${threads} thread${threads === 1 ? '' : 's'}`;
  return {
    id: 'scaling',
    title: 'Training on several ranks',
    lead: `Training steps of ${settings.recover?.batch ?? count} items, in one process and on ${count} ranks that share the model (${shardedBy(settings)} shards parameters, gradients and optimizer state), each process with ${threadsText}. Scaling efficiency is the speed-up divided by the number of ranks, with a 95 % interval over paired blocks. The first attention is the original’s.`,
    parts: [
      {
        kind: 'table',
        title: 'Scaling efficiency',
        columns: [{ title: 'attention' }, ...numeric('step, one process', `step, ${count} ranks`, 'efficiency', 'low', 'high')],
        rows: measured.map(({ candidate, alone, ranks, efficiency: { estimate, low, high } }) => [
          ...words(nameOf(candidate)),
          figureCell(alone.stepNs, time),
          figureCell(Math.max(...ranks.map(({ stepNs }) => stepNs)), time),
          ...[estimate, low, high].map((share) => figureCell(share, percent)),
        ]),
      },
      {
        kind: 'table',
        title: 'Cost per process',
        columns: [
          ...['attention', 'process'].map((title) => ({ title })),
          ...numeric('step', 'tokens/s', 'communication', 'frozen parameters', 'trained', 'gradients', 'optimizer', 'peak memory'),
        ],
        rows: measured.flatMap(({ candidate, alone, ranks }) => [
          [...words(nameOf(candidate), 'one process'), ...costCells(alone)],
          ...ranks.map((cost, rank) => [...words(nameOf(candidate), `rank ${rank}`), ...costCells(cost)]),
        ]),
      },
      ...(lines.length > 0 ? [{ kind: 'notes' as const, lines }] : []),
    ],
  };
}

function costCells(cost: RankCost): TableCell[] {
  const { stepNs, tokensPerSecond, communicationShare, frozenBytes, trainedBytes, gradientBytes, optimizerBytes, peakBytes } = cost;
  return [
    figureCell(stepNs, time),
    figureCell(tokensPerSecond, digits),
    figureCell(communicationShare, percent),
    ...[frozenBytes, trainedBytes, gradientBytes, optimizerBytes, peakBytes].map((bytes) => figureCell(bytes, size)),
  ];
}
