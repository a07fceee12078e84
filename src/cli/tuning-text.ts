import type { Comparison } from '../contract/verdict.ts';
import type { Tuning } from '../contract/tuning.ts';
import type { Task } from '../training/task.ts';
import { meanLayers } from '../tuning/scores.ts';
import { choicesOf } from '../tuning/trial.ts';
import type { TunedCandidate, TuningReport } from '../tuning/tune-testbed.ts';
import { digits, percent, printable, table } from './format.ts';

interface Context {
  readonly tuning: Tuning;
  readonly task: Task;
  readonly folder: string;
  readonly trainer: string;
  readonly warnings: readonly string[];
}

/** A tuning as a text: what the baseline does, what a plain swap costs, what training gets back, and what to do. */
export function tuningText(report: TuningReport, context: Context): string {
  const parts = [head(context), scoresText(report, context), searchText(report), ablationText(report, context), comparisonText(report)];
  return [...parts.filter((part) => part !== ''), conclusion(report, context)].join('\n\n');
}

function head({ tuning, task, trainer }: Context): string {
  const { layers, width, heads } = tuning.model;
  const chance =
    task.metric === 'accuracy' ? `chance is ${percent(task.chance)}` : `${digits(task.chance)} bits a character by a uniform guess`;
  return `${task.name}: ${task.summary}; ${chance}\n${layers} layers, width ${width}, ${heads} heads, ${task.length} tokens; trained on ${trainer}, ${tuning.search.seeds} seeds`;
}

function scoresText({ baseline, candidates }: TuningReport, { task, tuning }: Context): string {
  const show = (score: number) => (task.metric === 'accuracy' ? percent(score) : digits(-score));
  const list = (scores: readonly number[]) => scores.map(show).join(' ');
  const base = baseline.map(({ test }) => test.mean);
  const rows = candidates.map(({ candidate, swapped, finalists, control, difference, weightedShare }) => [
    candidate,
    percent(weightedShare),
    list(swapped),
    list(finalists.map(({ test }) => test.mean)),
    control === null ? '–' : show(control.test.mean),
    signed(task.metric, difference.mean),
    `${signed(task.metric, difference.low)} … ${signed(task.metric, difference.high)}`,
    probability(difference.p),
  ]);
  const header = ['attention', 'pairs', 'swapped', 'tuned', 'shuffled', 'against baseline', '95 % interval', 'p'];
  const lines = [
    `${task.metric === 'accuracy' ? 'Accuracy on the test items' : 'Bits a character on the test items, fewer are better'}, a figure a seed`,
    table([header, [tuning.baseline, percent(1), '', list(base), '', '', '', ''], ...rows]),
    ...depthLines([{ candidate: tuning.baseline, finalists: baseline }, ...candidates], tuning),
    "swapped: under the baseline's weights, nothing trained. shuffled: tuned with as many keys chosen at random. pairs: weighed, of dense attention's.",
  ];
  return lines.join('\n');
}

/** How far into the model answers are, of those that exit early. */
function depthLines(trained: ReadonlyArray<Pick<TunedCandidate, 'candidate' | 'finalists'>>, { model }: Tuning): string[] {
  return trained.flatMap(({ candidate, finalists }) => {
    const layers = meanLayers(finalists);
    if (layers === null) return [];
    return [
      `${candidate} answers after ${digits(layers)} of ${model.layers} layers, the mean over scored positions; its exported model skips a layer only where all positions of a batch have exited.`,
    ];
  });
}

function searchText({ candidates }: TuningReport): string {
  const rows = candidates.map(({ candidate, search }) => [candidate, `${search.trials.length}`, search.rungs.join(' ')]);
  const best = candidates.map(({ candidate, search }) => `${candidate}: ${choicesOf(search.winner)}`);
  return ['Search by successive halving', table([['attention', 'trials', 'epochs at each rung'], ...rows]), ...best].join('\n');
}

function ablationText({ candidates }: TuningReport, { task }: Context): string {
  const rows = candidates.flatMap(({ candidate, ablations }) =>
    ablations.map(({ without, gained }) => [
      candidate,
      without,
      signed(task.metric, gained.mean),
      `${signed(task.metric, gained.low)} … ${signed(task.metric, gained.high)}`,
      probability(gained.p),
    ]),
  );
  if (rows.length === 0) return '';
  return [
    "What the winners' own choices gained, each put back alone",
    table([['attention', 'without', 'gained', '95 % interval', 'p'], ...rows]),
  ].join('\n');
}

function comparisonText({ candidates, front }: TuningReport): string {
  const rows = candidates.map(({ candidate, latency, memory, decision }) => [
    candidate,
    change(latency),
    change(memory),
    decision.verdict.replace('-', ' '),
  ]);
  const measured = table([['attention', 'latency', 'peak memory', 'verdict'], ...rows]);
  const best = `not beaten in score, latency, memory and pairs together: ${front.join(', ')}`;
  return ['The exported models against the baseline, first seed', measured, best].join('\n');
}

function conclusion({ candidates }: TuningReport, { folder, warnings }: Context): string {
  const reasons = candidates.flatMap(({ candidate, decision }: TunedCandidate) =>
    decision.reasons.map((reason) => `${candidate}: ${reason}`),
  );
  return [
    ...reasons,
    ...warnings.map((warning) => `warning: ${printable(warning)}`),
    `models: ${folder}/models, everything measured: ${folder}/record.json`,
  ].join('\n');
}

function change({ effect, outcome }: Comparison): string {
  if (effect === null) return outcome;
  const points = (share: number) => `${share >= 0 ? '+' : '−'}${Math.abs(100 * share).toFixed(0)}`;
  return `${points(effect.estimate)} % [${points(effect.low)}, ${points(effect.high)}]`;
}

function signed(metric: Task['metric'], difference: number): string {
  if (!Number.isFinite(difference)) return 'unknown';
  const size = metric === 'accuracy' ? `${Math.abs(100 * difference).toFixed(1)} points` : `${digits(Math.abs(difference))} bits`;
  // Scores of bits are negative: what is gained is fewer bits.
  return `${(metric === 'accuracy' ? difference : -difference) < 0 ? '−' : '+'}${size}`;
}

function probability(p: number): string {
  return p < 1e-4 ? '< .0001' : p.toFixed(4).replace(/^0/, '');
}
