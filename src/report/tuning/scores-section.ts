import { percent } from '../../cli/format.ts';
import type { TuningCandidateRecord } from '../../tuning/record.ts';
import { intervalChart } from '../charts/intervals.ts';
import type { IntervalRow } from '../charts/intervals.ts';
import { scoreLevelsChart, scoreStages } from '../charts/score-levels.ts';
import type { ScoreMark, ScoreStage } from '../charts/score-levels.ts';
import { colourOf } from '../theme.ts';
import { figureCell, words } from '../document.ts';
import type { Chart, Section, Standing, Table, TableCell } from '../document.ts';
import type { Measure } from './measure.ts';
import { meanTest } from './tuning-view.ts';
import type { TuningView } from './tuning-view.ts';

export type Difference = TuningCandidateRecord['difference'];

/** Attentions that have a row in the picture. */
const mostDrawn = 60;

/** What a plain swap costs, what training gets back, and how sure that is. */
export function scoresSection(view: TuningView): Section {
  const { measure, candidates } = view;
  const table = scoresTable(view);
  const differences = differencesChart({
    id: 'differences',
    title: 'Tuned less baseline',
    axis: `mean test score, tuned less baseline, ${measure.differenceUnit}`,
    rows: candidates.map(({ name, found }) => ({ name, difference: found.difference })),
    measure,
    table,
  });
  const lead = `Scores are ${measure.name} on the test items; ${measure.better}. Swapped: under the baseline’s weights, nothing trained. Control: tuned with as many keys, chosen at random. Pairs: those weighed, of dense attention’s.`;
  const parts = [levelsChart(view, table), table, differences].filter((part) => part !== undefined);
  return { id: 'scores', title: 'What a swap costs, and what training gets back', lead, parts };
}

/** Every seed's score, swapped and tuned; undefined where there is none. */
function levelsChart(view: TuningView, table: Table): Chart | undefined {
  const { measure, record, baseline, candidates } = view;
  const marks = candidates.slice(0, mostDrawn).flatMap((_, index) => marksOf(view, index));
  if (marks.length === 0) return undefined;
  const mean = (name: string, trials: TuningCandidateRecord['finalists']) => `${name} ${scoreText(measure, meanTest(trials))}`;
  const said = candidates.slice(0, 8).map(({ name, found }) => mean(name, found.finalists));
  return {
    kind: 'chart',
    id: 'score-levels',
    title: 'Before and after training',
    summary: `Mean ${measure.name} when tuned: ${said.join('; ')}${candidates.length > 8 ? '; and more in the table' : ''}. ${mean(`${baseline}, the baseline:`, record.baseline)}.`,
    spec: scoreLevelsChart({
      title: 'every mark a seed; dashed lines are the baseline’s seeds',
      axis: `${measure.name}, ${measure.better}`,
      marks,
      baseline: record.baseline.flatMap(({ test }) => (test.mean === null ? [] : [measure.shown(test.mean)])),
    }),
    table,
  };
}

function marksOf({ measure, candidates, series }: TuningView, index: number): ScoreMark[] {
  const { name, found } = candidates[index]!;
  const stages: Readonly<Record<ScoreStage, ReadonlyArray<number | null>>> = {
    swapped: found.swapped,
    control: found.control === null ? [] : [found.control.test.mean],
    tuned: found.finalists.map(({ test }) => test.mean),
  };
  const colour = colourOf(series[index + 1]!.variant);
  return scoreStages.flatMap((stage) =>
    stages[stage].flatMap((score) =>
      score === null ? [] : [{ name, stage, colour, score: measure.shown(score), label: `${name}, ${stage}: ${measure.text(score)}` }],
    ),
  );
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
  const whole = rows.flatMap(({ name, difference }) => rowOf(name, difference, measure) ?? []);
  if (whole.length === 0) return undefined;
  const drawn = whole.slice(0, mostDrawn);
  const left = rows.length - drawn.length;
  const without = left === 0 ? '' : ` Not drawn, for want of an interval or of room: ${left} of ${rows.length}.`;
  return {
    kind: 'chart',
    id,
    title,
    summary: `${drawn
      .slice(0, 8)
      .map(({ label }) => label)
      .join('; ')}${drawn.length > 8 ? '; and more in the table' : ''}.${without}`,
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
