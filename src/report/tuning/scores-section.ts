import { percent } from '../../cli/format.ts';
import type { TuningCandidateRecord } from '../../tuning/record.ts';
import { intervalChart } from '../charts/intervals.ts';
import type { IntervalRow } from '../charts/intervals.ts';
import { figureCell, words } from '../document.ts';
import type { Chart, Section, Standing, Table, TableCell } from '../document.ts';
import type { Measure } from './measure.ts';
import { meanTest } from './tuning-view.ts';
import type { TuningView } from './tuning-view.ts';

export type Difference = TuningCandidateRecord['difference'];

/** What a plain swap costs, what training gets back, and how sure that is. */
export function scoresSection(view: TuningView): Section {
  const { measure, candidates } = view;
  const table = scoresTable(view);
  const rows = candidates.map(({ name, found }) => ({ name, difference: found.difference }));
  const chart = differencesChart({
    id: 'differences',
    title: 'Tuned less baseline',
    axis: `mean test score, tuned less baseline, ${measure.differenceUnit}`,
    rows,
    measure,
    table,
  });
  const lead = `${measure.name} on the test items, ${measure.better}. Swapped: under the baseline’s weights, nothing trained. Control: tuned with as many keys, chosen at random. Pairs: those weighed, of dense attention’s.`;
  return { id: 'scores', title: 'What a swap costs, and what training gets back', lead, parts: chart === undefined ? [table] : [chart] };
}

function scoresTable({ record, measure, baseline, candidates }: TuningView): Table {
  const list = (scores: ReadonlyArray<number | null>): TableCell => ({
    text: scores.map((score) => scoreText(measure, score)).join(', ') || '–',
  });
  const tests = (trials: TuningCandidateRecord['finalists']) => list(trials.map(({ test }) => test.mean));
  const none = { text: '–' };
  const numeric = (title: string) => ({ title, numeric: true });
  return {
    kind: 'table',
    title: 'Test scores, one a seed',
    columns: [{ title: 'attention' }, ...['pairs', 'swapped', 'tuned', 'mean', 'control', 'difference', '95 % interval', 'p'].map(numeric)],
    rows: [
      [
        ...words(baseline),
        { text: percent(1), value: 1 },
        none,
        tests(record.baseline),
        scoreCell(measure, meanTest(record.baseline)),
        none,
        none,
        none,
        none,
      ],
      ...candidates.map(({ name, found }) => [
        ...words(name),
        figureCell(found.weightedShare, percent),
        list(found.swapped),
        tests(found.finalists),
        scoreCell(measure, meanTest(found.finalists)),
        found.control === null ? none : scoreCell(measure, found.control.test.mean),
        ...differenceCells(measure, found.difference),
      ]),
    ],
  };
}

/** A score in words; of a training that diverged `none`. */
export function scoreText(measure: Measure, score: number | null): string {
  return score === null || score < -1e300 ? 'none' : measure.text(score);
}

/** A score, sorted by what is better. */
export function scoreCell(measure: Measure, score: number | null): TableCell {
  return score === null || score < -1e300 ? { text: 'none', standing: 'unsure' } : { text: measure.text(score), value: score };
}

/** Mean difference, its interval and p. */
export function differenceCells(measure: Measure, difference: Difference): TableCell[] {
  const { mean, p, count } = difference;
  const interval = intervalText(measure, difference);
  return [
    figureCell(mean, measure.differenceText),
    interval === undefined ? { text: count < 2 ? 'none of one seed' : 'none' } : { text: interval },
    count < 2 ? { text: '–' } : figureCell(p, probability),
  ];
}

function intervalText(measure: Measure, { low, high }: Difference): string | undefined {
  return low === null || high === null ? undefined : `${measure.differenceText(low)} … ${measure.differenceText(high)}`;
}

function probability(p: number): string {
  return p < 1e-4 ? '< .0001' : p.toFixed(4).replace(/^0/, '');
}

export interface DifferenceRows {
  readonly id: string;
  readonly title: string;
  readonly axis: string;
  readonly rows: ReadonlyArray<{ readonly name: string; readonly difference: Difference }>;
  readonly measure: Measure;
  readonly table: Table;
}

/** A forest plot of differences over seeds; undefined where none has an interval. */
export function differencesChart({ id, title, axis, rows, measure, table }: DifferenceRows): Chart | undefined {
  const drawn = rows.flatMap(({ name, difference }) => rowOf(name, difference, measure) ?? []);
  if (drawn.length === 0) return undefined;
  const left = rows.length - drawn.length;
  const without = left === 0 ? '' : ` Without an interval, and not drawn: ${left} of ${rows.length}.`;
  return {
    kind: 'chart',
    id,
    title,
    summary: `${drawn.map(({ label }) => label).join('; ')}.${without}`,
    spec: intervalChart({ title: 'right of the line is better; 95 % interval over seeds', axis, rows: drawn, neutral: 0, format: '+.3~g' }),
    table,
  };
}

function rowOf(name: string, difference: Difference, measure: Measure): IntervalRow | undefined {
  const { mean, low, high } = difference;
  if (mean === null || low === null || high === null) return undefined;
  const standing: Standing = low > 0 ? 'good' : high < 0 ? 'bad' : 'plain';
  const [value, from, to] = [mean, low, high].map((each) => measure.differenceShown(each)) as [number, number, number];
  return {
    name,
    value,
    low: from,
    high: to,
    standing,
    label: `${name}: ${measure.differenceText(mean)} (${intervalText(measure, difference)})`,
  };
}
