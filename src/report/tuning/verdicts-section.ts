import { digits } from '../../text/figures.ts';
import { verdictCells } from '../../migration/decide.ts';
import type { TuningCandidateRecord } from '../../tuning/record.ts';
import { clip } from '../../text/layout.ts';
import { oneLine } from '../../text/untrusted.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Section, Standing, Table } from '../document.ts';
import type { TuningView } from './tuning-view.ts';

const verdictStandings: Readonly<Record<TuningCandidateRecord['decision']['verdict'], Standing>> = {
  adopt: 'good',
  'tune-first': 'unsure',
  reject: 'bad',
};
const qualityStandings: Readonly<Record<TuningCandidateRecord['quality']['outcome'], Standing>> = {
  pass: 'good',
  inconclusive: 'unsure',
  regression: 'bad',
};

/** What to do with every candidate, and why. */
export function verdictsSection({ record, candidates }: TuningView): Section | undefined {
  if (candidates.length === 0) return undefined;
  const table: Table = {
    kind: 'table',
    title: 'Verdicts',
    columns: [
      { title: 'attention' },
      { title: 'verdict' },
      { title: 'quality' },
      ...numeric('quality lost, in margins'),
      { title: 'front' },
      { title: 'why' },
    ],
    rows: candidates.map(({ name, found: { candidate, decision, quality } }) => [
      ...words(name),
      { text: verdictCells[decision.verdict], standing: verdictStandings[decision.verdict] },
      { text: quality.outcome, standing: qualityStandings[quality.outcome] },
      quality.marginsLost === null ? { text: '∞' } : figureCell(quality.marginsLost, digits),
      ...words(record.front.includes(candidate) ? 'yes' : ''),
      { text: clip(decision.reasons.map(oneLine).join(' '), 1200) },
    ]),
  };
  const { qualityMargin } = record.settings;
  const lead = `The tuned models of the first seed were exported and compared with the baseline’s: quality paired item by item, latency and memory in paired blocks of fresh processes. The largest allowed loss is ${digits(100 * qualityMargin)} % of the baseline’s score.`;
  return { id: 'verdicts', title: 'Verdicts', lead, parts: [table] };
}
