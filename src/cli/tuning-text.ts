import type { Comparison } from '../contract/verdict.ts';
import { withinPeakNoise } from '../decide/rule.ts';
import type { Tuning } from '../contract/tuning.ts';
import { verdictCells, verdictWords } from '../migration/decide.ts';
import type { Task } from '../training/task.ts';
import { meanLayers } from '../tuning/scores.ts';
import { choicesOf } from '../tuning/trial.ts';
import type { TunedCandidate, TuningReport } from '../tuning/tune-testbed.ts';
import { digits, percent, signed } from '../text/figures.ts';
import { visible } from '../text/untrusted.ts';
import { table, wrapped } from '../text/layout.ts';
import { differenceCells, scoresText } from './tuning-scores-text.ts';
import { convergenceText, savingCells } from './tuning-steps-text.ts';
import { gradedText } from './tuning-graded-text.ts';
import { wasteText } from './tuning-waste-text.ts';

interface Context {
  readonly tuning: Tuning;
  readonly task: Task;
  readonly folder: string;
  readonly trainer: string;
  readonly warnings: readonly string[];
}

/** A tuning as a text: what the baseline does, what a plain swap costs, what training gets back, and what to do. */
export function tuningText(report: TuningReport, context: Context): string {
  const { tuning, task } = context;
  const parts = [
    head(context),
    scoresText(report, tuning.baseline, task.metric),
    depthText(report, tuning),
    gradedText(report, tuning),
    wasteText(report, tuning.baseline),
    searchText(report),
    ablationText(report, context),
    convergenceText(report, tuning.baseline, task.metric),
    comparisonText(report),
  ];
  return [...parts.filter((part) => part !== ''), conclusion(report, context)].join('\n\n');
}

function head({ tuning, task, trainer }: Context): string {
  const { layers, width, heads } = tuning.model;
  const { seeds } = tuning.search;
  const chance =
    task.metric === 'accuracy' ? `chance is ${percent(task.chance)}` : `${digits(task.chance)} bits per character for a uniform guess`;
  const { length, sourceLength } = task;
  const tokens = sourceLength === undefined ? `${length} tokens` : `${sourceLength} and ${length} tokens`;
  const each = sourceLength === undefined ? '' : ' each in encoder and decoder';
  const model = `${layers} ${layers === 1 ? 'layer' : 'layers'}${each}, width ${width}, ${heads} heads, ${tokens}`;
  return [`${task.name}: ${task.summary}; ${chance}`, `${model}; trained on ${trainer}, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}`]
    .map((line) => wrapped(line))
    .join('\n');
}

/** How far into the model answers are, of those that exit early. */
function depthText({ baseline, candidates }: TuningReport, { model, baseline: name }: Tuning): string {
  const trained = [{ candidate: name, finalists: baseline }, ...candidates];
  const lines = trained.flatMap(({ candidate, finalists }) => {
    const layers = meanLayers(finalists);
    if (layers === null) return [];
    const depth = `${candidate} answers after ${digits(layers)} of ${model.layers} layers on average over scored positions;`;
    return [wrapped(`${depth} after an exit, its exported model computes only the ${model.exitBy ?? 'sequence'}s that have not left.`)];
  });
  return lines.join('\n');
}

function searchText({ candidates }: TuningReport): string {
  const rows = candidates.map(({ candidate, search }) => [candidate, `${search.trials.length}`, search.rungs.join(' ')]);
  const best = candidates.map(({ candidate, search }) => wrapped(`${candidate}: ${choicesOf(search.winner)}`));
  return ['Search by successive halving', table([['attention', 'trials', 'epochs at each rung'], ...rows]), ...best].join('\n');
}

/** Two tables: beside one another they would be wider than a terminal. */
function ablationText({ candidates }: TuningReport, { task }: Context): string {
  const all = candidates.flatMap(({ candidate, ablations }) => ablations.map((ablation) => ({ candidate, ...ablation })));
  if (all.length === 0) return '';
  const gained = all.map(({ candidate, without, gained }) => [candidate, without, ...differenceCells(gained, task.metric)]);
  const saved = all.map(({ candidate, without, steps }) => [candidate, without, ...savingCells(steps)]);
  return [
    wrapped(
      `Ablation: what each winning choice contributed, reverted one at a time (${task.metric === 'accuracy' ? 'points' : 'bits per character, fewer are better'})`,
    ),
    table([['attention', 'without', 'gained', '95 % interval', 'p'], ...gained]),
    '',
    'Training steps that each choice saved on the way to the validation score that both reach',
    table([['attention', 'without', 'saved', '95 % interval'], ...saved]),
  ].join('\n');
}

function comparisonText({ candidates, front }: TuningReport): string {
  const rows = candidates.map(({ candidate, latency, memory, decision }) => [
    candidate,
    change(latency),
    change(memory),
    verdictCells[decision.verdict],
  ]);
  const measured = table([['attention', 'latency', 'peak memory', 'verdict'], ...rows]);
  const best = wrapped(`Pareto front (score, pairs, latency, memory): ${front.join(', ')}`);
  return ['Exported models of the first seed, compared with the baseline', measured, best].join('\n');
}

function conclusion({ candidates }: TuningReport, { folder, warnings }: Context): string {
  const reasons = candidates.flatMap(({ candidate, decision }: TunedCandidate) => [
    `${candidate}: ${verdictWords[decision.verdict]}`,
    ...decision.reasons.map((reason) => wrapped(reason, '  ')),
  ]);
  return [
    ...reasons,
    ...warnings.map((warning) => wrapped(`warning: ${visible(warning)}`)),
    `models: ${folder}/models; all results: ${folder}/record.json`,
  ].join('\n');
}

function change(comparison: Comparison): string {
  const { effect, outcome } = comparison;
  if (withinPeakNoise(comparison)) return '< 1 MiB apart';
  if (effect === null) return outcome;
  const points = (share: number) => signed(share, Math.abs(100 * share).toFixed(0));
  return `${points(effect.estimate)} % [${points(effect.low)}, ${points(effect.high)}]`;
}
