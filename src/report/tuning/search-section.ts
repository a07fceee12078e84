import { choicesOf, trialId } from '../../tuning/trial.ts';
import type { TuningCandidateRecord } from '../../tuning/record.ts';
import { digits, percent } from '../../text/figures.ts';
import { oneLine } from '../../text/untrusted.ts';
import { shorten } from '../../text/layout.ts';
import { numeric, words } from '../document.ts';
import type { Section, Table, TableCell } from '../document.ts';
import { scoreCell } from './measure.ts';
import type { NamedCandidate, TuningView } from './tuning-view.ts';

/** Rungs that have a column. */
const mostRungs = 16;

/** What was tried for each attention, with the score at every rung that a trial reached. */
export function searchSection(view: TuningView): Section | undefined {
  const { candidates, record } = view;
  if (candidates.every(({ found }) => found.search.trials.length === 0)) return undefined;
  const { search, qualityMargin } = record.settings;
  const early = candidates.some(({ found }) => found.search.trials.some(({ trial }) => trial.exits !== null));
  const others = early ? `, or of those within ${percent(qualityMargin)} of its score the one that answers after the fewest layers,` : '';
  const lead = `Successive halving with the first seed: all trials start, and at each rung one in ${search.reduction} continues, ranked by validation score. The best trial of the last rung${others} is then trained with every seed.`;
  return { id: 'search', title: 'Search', lead, parts: [searchTable(view)] };
}

function searchTable(view: TuningView): Table {
  const { candidates } = view;
  const rungs = [...new Set(candidates.flatMap(({ found }) => found.search.rungs))].sort((a, b) => a - b).slice(0, mostRungs);
  return {
    kind: 'table',
    title: 'Trials of the search',
    columns: [
      { title: 'attention' },
      { title: 'choices' },
      ...numeric(...rungs.map((epochs) => `by ${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}`)),
      { title: 'result' },
    ],
    rows: candidates.flatMap((candidate) => rowsOf(view, candidate, rungs)),
  };
}

function rowsOf({ measure }: TuningView, { name, found: { search } }: NamedCandidate, rungs: readonly number[]): TableCell[][] {
  return search.trials.map(({ trial, scores, layers }) => [
    ...words(name, shorten(oneLine(choicesOf(trial)), 200)),
    ...rungs.map((epochs): TableCell => {
      const rung = search.rungs.indexOf(epochs);
      const score = scores[rung];
      if (score === undefined) return { text: '' };
      const [cell, depth] = [scoreCell(measure, score), layers?.[rung] ?? null];
      return depth === null ? cell : { ...cell, text: `${cell.text}, ${digits(depth)} layers` };
    }),
    isWinner(trial, search) ? { text: 'won', standing: 'good' } : { text: '' },
  ]);
}

type SearchRecord = TuningCandidateRecord['search'];

function isWinner(trial: SearchRecord['winner'], { winner }: SearchRecord): boolean {
  return idOf(trial) === idOf(winner);
}

function idOf({ shuffled, ...trial }: SearchRecord['winner']): string {
  return trialId({ ...trial, ...(shuffled === true && { shuffled }) });
}
