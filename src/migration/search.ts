import { normalCdf } from '../statistics/normal.ts';
import { combinationPool } from './combination-pool.ts';
import { solveKnapsack } from './knapsack.ts';
import type { Choice } from './knapsack.ts';
import { fitLossModel } from './loss-model.ts';
import type { LossModel } from './loss-model.ts';
import { Measurements } from './measurements.ts';
import type { Measurement } from './measurements.ts';
import { paretoFront } from './pareto.ts';
import { checkProblem, savingOf } from './search-problem.ts';
import type { Assignment, SearchProblem } from './search-problem.ts';
import { measureSensitivity } from './sensitivity.ts';
import type { Pruned } from './sensitivity.ts';

export interface SearchedAssignment extends Measurement {
  /** Losses of its sites alone, added up; null where one was not measured. */
  readonly predictedLoss: number | null;
}

export interface AssignmentSearch {
  /** All, in the order of measuring; the original, whose loss is 0 by definition, comes first. */
  readonly measured: readonly SearchedAssignment[];
  /** The largest saving with a measured loss within the budget; the original where nothing better was found. */
  readonly best: SearchedAssignment;
  /** Measured assignments that no other one beats in both loss and saving, least loss first. */
  readonly front: readonly SearchedAssignment[];
  /** Pearson's correlation of predicted and measured loss over combinations of two sites and more; null for fewer than three. */
  readonly correlation: number | null;
  /** Assignments looked at, and how many of them took a call of `quality`; the others were known. */
  readonly evaluations: number;
  readonly freshEvaluations: number;
  readonly pruned: readonly Pruned[];
  /** Why it ended: no assignment is likely to be better, or `maxEvaluations` were spent. */
  readonly stopped: 'converged' | 'spent';
  /** False where there were too many assignments to consider each. */
  readonly exhaustive: boolean;
}

/** An expected gain below this share of the best saving is not worth an evaluation. */
const leastGain = 1e-4;
/** Prospective errors that are remembered, and how far pairs are taken to interact before any is known. */
const remembered = 8;
const firstError = 0.25;
const firstWeight = 0.1;

/**
 * Searches the per-site assignment that saves most within a loss budget, by few measurements and without training: every candidate alone; then
 * the additive knapsack's exact answer for each budget, repaired where it loses too much; then, one by one, the assignment of largest expected
 * gain (saving × chance to be within the budget, by a model of pairwise interactions fitted to all that was measured). First for `budget`
 * until no gain is to be expected, then for the other budgets. Measured losses alone decide what is within a budget. The same problem gives
 * the same search.
 * @throws INVALID_MIGRATION on a malformed problem or loss; what `quality` and `onMeasured` throw passes through
 */
export async function searchAssignments(problem: SearchProblem): Promise<AssignmentSearch> {
  checkProblem(problem);
  const { budget, otherBudgets = [budget / 2, budget / 4] } = problem;
  const budgets = [...new Set([budget, ...otherBudgets])];
  const measurements = new Measurements(problem);
  const { choices, pruned } = await measureSensitivity(problem, measurements, Math.max(...budgets));
  for (const limit of budgets) await measurePredictedBest(problem, { choices, measurements, budget: limit });
  const pool = combinationPool(choices, Math.max(...budgets), problem.seed);
  const errors: number[] = [];
  for (const limit of budgets) await refine(problem, { choices, measurements, budget: limit }, { pool, errors });
  const total = choices.reduce((product, { length }) => product * length, 1);
  const searched = (found: Measurement): SearchedAssignment => ({ ...found, predictedLoss: measurements.additive(found.assignment) });
  const measured = measurements.all().map(searched);
  return {
    measured,
    best: searched(measurements.best(budget)),
    front: frontOf(measured),
    correlation: correlationOf(measured),
    evaluations: measurements.count,
    freshEvaluations: measurements.fresh,
    pruned,
    stopped: measurements.spent ? 'spent' : 'converged',
    exhaustive: pool.length >= total,
  };
}

interface Stage {
  readonly choices: readonly (readonly Choice[])[];
  readonly measurements: Measurements;
  readonly budget: number;
}

/** The additive optimum; while it loses too much, the site of worst trade steps back. */
async function measurePredictedBest({ saving }: SearchProblem, { choices, measurements, budget }: Stage): Promise<void> {
  let assignment: Assignment = solveKnapsack(choices, budget).front.at(-1)!.assignment;
  while (!measurements.spent || measurements.has(assignment)) {
    const { loss } = await measurements.measure(assignment);
    if (loss <= budget) return;
    assignment = steppedBack(assignment, choices);
    if (savingOf(saving, assignment) <= measurements.best(budget).saving) return;
  }
}

/** The site that loses most for each second it saves takes its next choice of less loss. */
function steppedBack(assignment: Assignment, choices: Stage['choices']): Assignment {
  const chosen = assignment.map((candidate, site) => choices[site]!.find((choice) => choice.candidate === candidate)!);
  const trade = ({ loss, saving }: Choice) => (saving > 0 ? loss / saving : -1);
  const worst = chosen.reduce((most, choice, site) => (trade(choice) > trade(chosen[most]!) ? site : most), 0);
  const milder = choices[worst]!.filter(({ loss }) => loss < chosen[worst]!.loss);
  const next = milder.reduce((best, choice) => (choice.saving > best.saving ? choice : best), choices[worst]![0]!);
  return assignment.with(worst, next.candidate);
}

/** Measures what promises most until nothing does. */
async function refine(
  problem: SearchProblem,
  { choices, measurements, budget }: Stage,
  { pool, errors }: { readonly pool: readonly Assignment[]; readonly errors: number[] },
): Promise<void> {
  while (!measurements.spent) {
    const model = fitLossModel(choices, measurements.all());
    const best = measurements.best(budget).saving;
    const open = pool.filter((assignment) => savingOf(problem.saving, assignment) > best && !measurements.has(assignment));
    const gains = open.map((assignment) => {
      return (savingOf(problem.saving, assignment) - best) * chanceWithin(budget, assignment, { model, errors });
    });
    const pick = gains.reduce((most, gain, index) => (gain > gains[most]! ? index : most), 0);
    if (open.length === 0 || !(gains[pick]! > leastGain * best)) return;
    const { loss } = await measurements.measure(open[pick]!);
    const size = model.interactionSize(open[pick]!);
    if (Number.isFinite(loss) && size > 0) errors.push((loss - model.predict(open[pick]!)) / size);
  }
}

/** The chance that an assignment is within the budget, from how wrong the last predictions were for the size of their interactions. */
function chanceWithin(budget: number, assignment: Assignment, { model, errors }: { model: LossModel; errors: readonly number[] }): number {
  const last = errors.slice(-remembered);
  const squares = last.reduce((sum, error) => sum + error * error, firstWeight * firstError ** 2);
  const deviation = Math.sqrt(squares / (last.length + firstWeight)) * model.interactionSize(assignment);
  const margin = budget - model.predict(assignment);
  // Sums of the same losses in another order differ in the last digits.
  if (deviation <= 1e-12 * budget || Math.abs(margin) <= 1e-12 * budget) return margin >= -1e-12 * budget ? 1 : 0;
  return normalCdf(margin / deviation);
}

function frontOf(measured: readonly SearchedAssignment[]): SearchedAssignment[] {
  const rows = measured.map((found) => ({ found, figures: { loss: found.loss, saving: found.saving } }));
  const objectives = [{ name: 'loss', goal: 'minimise' } as const, { name: 'saving', goal: 'maximise' } as const];
  return paretoFront(rows, objectives).front.map(({ found }) => found);
}

function correlationOf(measured: readonly SearchedAssignment[]): number | null {
  const pairs = measured.flatMap(({ assignment, predictedLoss, loss }) =>
    predictedLoss !== null && Number.isFinite(loss) && assignment.filter((candidate) => candidate !== 0).length >= 2
      ? [{ x: predictedLoss, y: loss }]
      : [],
  );
  if (pairs.length < 3) return null;
  const mean = (value: (pair: { x: number; y: number }) => number) => pairs.reduce((sum, pair) => sum + value(pair), 0) / pairs.length;
  const [x, y] = [mean((pair) => pair.x), mean((pair) => pair.y)];
  const spread = Math.sqrt(mean((pair) => (pair.x - x) ** 2) * mean((pair) => (pair.y - y) ** 2));
  return spread > 0 ? mean((pair) => (pair.x - x) * (pair.y - y)) / spread : null;
}
