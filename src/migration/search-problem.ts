import { AttnswapError } from '../contract/errors.ts';

/** The candidate of each site; 0 keeps the original. */
export type Assignment = readonly number[];

export interface SearchProblem {
  /** `[site][candidate]`: estimated seconds saved a call, counted from the original; `[site][0]` is 0, others may be negative. */
  readonly saving: readonly (readonly number[])[];
  /** Measures what an assignment loses, counted from the original, which loses 0. Infinity for a model that is of no use. */
  quality(assignment: Assignment): Promise<{ readonly loss: number }>;
  /** The largest loss accepted, at least 0. */
  readonly budget: number;
  /** Further budgets whose best assignments are of interest; ¼ and ½ of `budget` unless given. */
  readonly otherBudgets?: readonly number[];
  /** Assignments that are looked at, known ones included: a search that goes on ends where an uninterrupted one would have. */
  readonly maxEvaluations: number;
  /** Decides which neighbours are considered where there are too many assignments to consider all. */
  readonly seed: number;
  /** Losses measured before, by {@link assignmentKey}. */
  readonly known?: ReadonlyMap<string, number>;
  /** Called, and awaited, after each fresh measurement: the place to persist it. */
  onMeasured?(key: string, loss: number): void | Promise<void>;
}

/** `0,2,1`: stable, for memos and files. */
export function assignmentKey(assignment: Assignment): string {
  return assignment.join(',');
}

export function savingOf(saving: SearchProblem['saving'], assignment: Assignment): number {
  return assignment.reduce((sum, candidate, site) => sum + saving[site]![candidate]!, 0);
}

/** @throws INVALID_MIGRATION naming the field */
export function checkProblem(problem: SearchProblem): void {
  const invalid = (text: string) => new AttnswapError('INVALID_MIGRATION', `search: ${text}`);
  const { saving, budget, maxEvaluations, known = new Map(), otherBudgets = [] } = problem;
  if (saving.length === 0) throw invalid('no sites, expected at least one');
  for (const [site, row] of saving.entries()) {
    if (row[0] !== 0) throw invalid(`saving[${site}][0] is ${row[0]}, expected 0 for the original`);
    const candidate = row.findIndex((seconds) => !Number.isFinite(seconds));
    if (candidate >= 0) throw invalid(`saving[${site}][${candidate}] is ${row[candidate]}, expected finite seconds`);
  }
  for (const limit of [budget, ...otherBudgets]) {
    if (!(limit >= 0 && limit < Infinity)) throw invalid(`a budget is ${limit}, expected a finite loss ≥ 0`);
  }
  if (!Number.isSafeInteger(maxEvaluations) || maxEvaluations < 1) throw invalid(`maxEvaluations is ${maxEvaluations}, expected 1 or more`);
  for (const [key, loss] of known) if (!(loss >= 0)) throw invalid(`the known loss of ${key} is ${loss}, expected a number ≥ 0`);
}
