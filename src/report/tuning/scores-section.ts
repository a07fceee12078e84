import { digits, percent, signed } from '../../text/figures.ts';
import type { TuningCandidateRecord } from '../../tuning/record.ts';
import { translationDifference } from '../../tuning/difference.ts';
import { meanLayers } from '../../tuning/scores.ts';
import { scoreLevelsChart, scoreStages } from '../charts/score-levels.ts';
import type { ScoreMark, ScoreStage } from '../charts/score-levels.ts';
import { colourOf } from '../theme.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Chart, Section, Table, TableCell } from '../document.ts';
import { differenceCells, differencesChart } from './differences.ts';
import { scoreCell, scoreText } from './measure.ts';
import { meanTest } from './tuning-view.ts';
import type { TuningView } from './tuning-view.ts';

/** Attentions that have a row in the picture. */
const mostDrawn = 60;

/** What a plain swap costs, what training gets back, and how sure that is. */
export function scoresSection(view: TuningView): Section {
  const { measure, candidates } = view;
  const table = scoresTable(view);
  const differences = differencesChart({
    id: 'differences',
    title: 'Tuned minus baseline',
    axis: `mean test score, tuned minus baseline, ${measure.differenceUnit}`,
    rows: candidates.map(({ name, found }) => ({ name, difference: found.difference })),
    measure,
    table,
  });
  const lead = `Scores are ${measure.name} on the test items; ${measure.better}. Swapped: with the baseline’s weights and no training. Control: tuned with the same number of keys, selected at random. Pairs: weighted pairs as a share of dense attention’s. Recovered: the share of the swap’s loss that training recovered, if that loss exceeds the quality margin.${exitsEarly(view) ? layersTold : ''}`;
  const parts = [levelsChart(view, table), table, translationTable(view), differences].filter((part) => part !== undefined);
  return { id: 'scores', title: 'Cost of the swap, and what training recovers', lead, parts };
}

const layersTold = ' Layers: the mean number of layers until an answer, over scored positions.';

function exitsEarly({ record, candidates }: TuningView): boolean {
  return [record.baseline, ...candidates.map(({ found }) => found.finalists)].some((trials) => meanLayers(trials) !== null);
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
      title: 'one mark per seed; dashed lines: baseline',
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

/** BLEU and chrF of greedily decoded test items; undefined where nothing is translated. */
function translationTable({ record, baseline, candidates }: TuningView): Table | undefined {
  if (record.baseline.every(({ test }) => test.translation === undefined)) return undefined;
  const values = (trials: TuningCandidateRecord['finalists'], score: 'bleu' | 'chrf'): TableCell => {
    const all = trials.map(({ test }) => test.translation?.[score].value ?? null);
    return { text: all.map((value) => (value === null ? 'none' : value.toFixed(1))).join(', ') };
  };
  const gained = (trials: TuningCandidateRecord['finalists'], score: 'bleu' | 'chrf'): TableCell => {
    const difference = translationDifference(record.baseline, trials, score);
    if (difference === null) return { text: '–' };
    const { mean, low, high, count } = difference;
    const points = (value: number) => signed(value, Math.abs(value).toFixed(1));
    return { text: count < 2 ? points(mean) : `${points(mean)} (${points(low)} … ${points(high)})`, value: mean };
  };
  return {
    kind: 'table',
    title: 'BLEU and chrF of greedily decoded test items, one per seed; gained: mean over seeds, with 95 % interval',
    columns: [{ title: 'attention' }, ...numeric('BLEU', 'gained', 'chrF', 'gained')],
    rows: [
      [...words(baseline), values(record.baseline, 'bleu'), { text: '–' }, values(record.baseline, 'chrf'), { text: '–' }],
      ...candidates.map(({ name, found: { finalists } }) => [
        ...words(name),
        values(finalists, 'bleu'),
        gained(finalists, 'bleu'),
        values(finalists, 'chrf'),
        gained(finalists, 'chrf'),
      ]),
    ],
  };
}

function scoresTable(view: TuningView): Table {
  const { record, measure, baseline, candidates } = view;
  const list = (scores: ReadonlyArray<number | null>): TableCell => ({
    text: scores.map((score) => scoreText(measure, score)).join(', ') || '–',
  });
  const tests = (trials: TuningCandidateRecord['finalists']) => list(trials.map(({ test }) => test.mean));
  const none = { text: '–' };
  const exits = exitsEarly(view);
  const depth = (trials: TuningCandidateRecord['finalists']) =>
    exits ? [figureCell(meanLayers(trials) ?? (trials[0]?.trial.exits === null ? record.settings.model.layers : null), digits)] : [];
  return {
    kind: 'table',
    title: 'Test scores, one per seed',
    columns: [
      { title: 'attention' },
      ...numeric(
        'pairs',
        'swapped',
        'tuned',
        'mean',
        'control',
        'difference',
        '95 % interval',
        'p',
        'recovered',
        ...(exits ? ['layers'] : []),
      ),
    ],
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
        none,
        ...depth(record.baseline),
      ],
      ...candidates.map(({ name, found }) => [
        ...words(name),
        figureCell(found.weightedShare, percent),
        list(found.swapped),
        tests(found.finalists),
        scoreCell(measure, meanTest(found.finalists)),
        found.control === null ? none : scoreCell(measure, found.control.test.mean),
        ...differenceCells(measure, found.difference),
        figureCell(found.recovered && found.recovered.mean, percent),
        ...depth(found.finalists),
      ]),
    ],
  };
}
