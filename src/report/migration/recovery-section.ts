import { digits, percent } from '../../text/figures.ts';
import type { StoredMigrationRecord } from '../../migration/record.ts';
import { trainedToTheEnd } from '../../migration/recover.ts';
import { clip } from '../../text/layout.ts';
import { oneLine } from '../../text/untrusted.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Section } from '../document.ts';
import { nameOf } from './candidate-sections.ts';

/** What training brought back; undefined where nothing was trained. */
export function recoverySection({ recovered, settings }: StoredMigrationRecord): Section | undefined {
  if (!recovered || recovered.length === 0 || settings.recover === undefined) return undefined;
  const { steps, labels, rank, learningRate, patience = 0 } = settings.recover;
  const trained = recovered.filter((each) => 'result' in each);
  const lines = recovered.flatMap((each) => {
    if ('failure' in each) return `${nameOf(each.from)} was not trained: ${clip(oneLine(each.failure), 600)}`;
    if (patience > 0 && each.heldOut === 0) return `${nameOf(each.from)}: ${trainedToTheEnd}`;
    const judged = (each.judged ?? []).map(({ step, loss }) => `${step}: ${loss === null ? '∞' : digits(loss)}`);
    const on = each.heldOut === undefined ? '' : ` (${each.heldOut} items)`;
    return judged.length === 0 ? [] : `${nameOf(each.from)}: held-out loss by step${on}: ${clip(judged.join(', '), 600)}`;
  });
  return {
    id: 'recovery',
    title: 'Training',
    lead: `For each candidate that lost quality, low-rank updates (rank ${rank}) of the linear layers in its attention modules were trained on items that are not judged: ${steps} steps on each module's output, then ${labels} on the model's outputs; learning rate ${digits(learningRate)}.${patience === 0 ? '' : ` Training stops after ${patience} checkpoint${patience === 1 ? '' : 's'} in a row that lose more than the best before them on held-out items, and the best checkpoint is kept.`}`,
    parts: [
      {
        kind: 'table',
        title: 'Quality recovered by training',
        columns: [
          { title: 'candidate' },
          ...numeric(
            'parameters',
            'steps kept',
            'first loss by layer',
            'last',
            'margins lost before',
            'after the first stage',
            'after both',
            'recovered',
          ),
        ],
        rows: trained.map(({ from, parameters, losses, kept, lostBefore, lostBetween, lostAfter, share }) => [
          ...words(nameOf(from)),
          figureCell(parameters, String),
          figureCell(kept, String),
          figureCell(losses.transfer[0], digits),
          figureCell(losses.transfer.at(-1), digits),
          figureCell(lostBefore, digits),
          figureCell(lostBetween, digits),
          figureCell(lostAfter, digits),
          figureCell(share, percent),
        ]),
      },
      ...(lines.length > 0 ? [{ kind: 'notes' as const, lines }] : []),
    ],
  };
}
