import { percent, time } from '../../text/figures.ts';
import type { FinishedRecord } from '../../tuning/record.ts';
import { convergenceOf } from '../../tuning/steps-to-quality.ts';
import { isScore } from '../../tuning/trial.ts';
import { learningCurvesChart } from '../charts/learning-curves.ts';
import type { CurvePoint, LearningCurve } from '../charts/learning-curves.ts';
import { colourOf } from '../theme.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Chart, Section, Table, TableCell } from '../document.ts';
import { scoreCell, scoreText } from './measure.ts';
import { diverged } from './trained.ts';
import type { TuningView } from './tuning-view.ts';

/** Panels that are drawn; the table has all. */
const mostPanels = 12;
/** Trainings of a kind that a panel draws, and points of each. */
const mostSeeds = 20;
const mostPoints = 120;

/** What each kind of line is called. */
const wordFor = { context: 'baseline', main: 'tuned', control: 'control' } as const;

interface TrainedLine {
  readonly attention: string;
  readonly variant: string;
  readonly kind: LearningCurve['kind'];
  readonly finished: FinishedRecord;
}

/** How the scores of the trainings that were finished rose, epoch by epoch. */
export function curvesSection(view: TuningView): Section | undefined {
  const lines = linesOf(view);
  if (lines.every(({ finished }) => drawable(view, finished).length === 0)) return undefined;
  const lead = `Validation score after each epoch, always measured with the final attention of the trial, even while it trains with more keys. One line per training; the baseline is gray in every panel. The dotted line is chance. Steps saved: the share of training steps saved on the way to the validation score that every training of the baseline and of that attention reached.`;
  return { id: 'curves', title: 'Learning curves', lead, parts: [curvesChart(view, lines), ...stepsTable(view)] };
}

function linesOf({ record, baseline, candidates, series }: TuningView): TrainedLine[] {
  const base = record.baseline.map((finished): TrainedLine => ({
    attention: baseline,
    variant: series[0]!.variant,
    kind: 'context',
    finished,
  }));
  const others = candidates.flatMap(({ name, found: { finalists, control } }, index): TrainedLine[] => {
    const of = { attention: name, variant: series[index + 1]!.variant };
    const tuned = finalists.map((finished) => ({ ...of, kind: 'main' as const, finished }));
    return control === null ? tuned : [...tuned, { ...of, kind: 'control' as const, finished: control }];
  });
  return [...base, ...others];
}

function curvesChart(view: TuningView, lines: readonly TrainedLine[]): Chart {
  const { measure, baseline, candidates } = view;
  const panels = candidates.length === 0 ? [baseline] : candidates.slice(0, mostPanels).map(({ name }) => name);
  const curves = panels.flatMap((panel) => curvesOf(view, panel, lines));
  const more = candidates.length > mostPanels ? ` The chart shows the first ${mostPanels} of ${candidates.length} variants.` : '';
  return {
    kind: 'chart',
    id: 'learning-curves',
    title: `Validation ${measure.name} by epoch`,
    summary: `Last scores: ${lastScores(view, lines)}.${more}`,
    spec: learningCurvesChart({
      title: `validation score after each epoch; ${measure.better}`,
      axis: measure.name,
      curves,
      labels: wordFor,
      ...(measure.chance !== undefined && measure.name === 'accuracy' && { level: measure.shown(measure.chance) }),
    }),
    table: curvesTable(view, lines),
  };
}

function curvesOf(view: TuningView, panel: string, lines: readonly TrainedLine[]): LearningCurve[] {
  const own = (['context', 'control', 'main'] as const).flatMap((kind) =>
    lines.filter((line) => line.kind === kind && (kind === 'context' || line.attention === panel)).slice(0, mostSeeds),
  );
  return own.map(({ kind, variant, finished }, index) => ({
    panel,
    name: `${kind} ${index}`,
    kind,
    colour: colourOf(variant),
    points: drawable(view, finished),
  }));
}

/** Scores as they are drawn, up to where training diverged; of very many epochs as many as can be told apart. */
function drawable({ measure }: TuningView, { epochs }: FinishedRecord): CurvePoint[] {
  const end = epochs.findIndex(({ validation, diverged: broken }) => broken === true || !isScore(validation));
  const whole = (end < 0 ? epochs : epochs.slice(0, end)).map(({ validation }, index) => ({
    epoch: index + 1,
    score: measure.shown(validation!),
  }));
  const step = Math.ceil(whole.length / mostPoints);
  return whole.filter((_, index) => (whole.length - 1 - index) % step === 0);
}

/** The last score of each training, by attention. */
function lastScores({ measure }: TuningView, lines: readonly TrainedLine[]): string {
  const groups = Map.groupBy(lines, ({ attention, kind }) => (kind === 'main' ? `${attention} tuned` : `${attention} (${wordFor[kind]})`));
  const said = [...groups].slice(0, 9).map(([name, own]) => {
    const scores = own.slice(0, 10).map(({ finished }) => scoreText(measure, finished.epochs.at(-1)?.validation ?? null));
    return `${name} ${scores.join(', ')}`;
  });
  return `${said.join('; ')}${groups.size > 9 ? '; and more in the table' : ''}`;
}

function curvesTable(view: TuningView, lines: readonly TrainedLine[]): Table {
  const { measure } = view;
  return {
    kind: 'table',
    title: 'Training runs',
    columns: [
      { title: 'attention' },
      { title: 'as' },
      ...numeric('seed', 'epochs', 'validation', 'test', 'training time'),
      { title: 'by epoch' },
    ],
    rows: lines.map(({ attention, kind, finished }): TableCell[] => {
      const { trial, epochs, test } = finished;
      const elapsedNs = epochs.reduce((sum, epoch) => sum + epoch.elapsedNs, 0);
      return [
        ...words(attention, diverged(finished) ? `${wordFor[kind]}, diverged` : wordFor[kind]),
        ...[trial.seed, epochs.length].map((value) => figureCell(value, String)),
        scoreCell(measure, epochs.at(-1)?.validation ?? null),
        scoreCell(measure, test.mean),
        { text: time(elapsedNs), value: elapsedNs },
        { text: '', line: drawable(view, finished).map(({ score }) => score) },
      ];
    }),
  };
}

/** Steps of each attention and of the baseline to the same validation score; no table where trainings diverged. */
function stepsTable({ record, measure, baseline, candidates }: TuningView): Table[] {
  const rows = candidates.flatMap(({ name, found }) => {
    const steps = convergenceOf(record.baseline, found);
    return steps === null ? [] : [{ name, steps }];
  });
  if (rows.length === 0) return [];
  const list = (steps: readonly number[]): TableCell => ({ text: steps.map((each) => each.toFixed(0)).join(', ') });
  const titles = ['validation score', `steps of ${baseline}`, 'steps', 'steps saved', '95 % interval'];
  return [
    {
      kind: 'table',
      title: 'Steps to the same score, one per seed',
      columns: [{ title: 'attention' }, ...numeric(...titles)],
      rows: rows.map(({ name, steps: { score, without, with: own, saved } }) => [
        ...words(name),
        scoreCell(measure, score),
        list(without),
        list(own),
        figureCell(saved.estimate, percent),
        { text: Number.isFinite(saved.low) ? `${percent(saved.low)} … ${percent(saved.high)}` : '–' },
      ]),
    },
  ];
}
