import type { Choice } from './knapsack.ts';
import type { Measurements } from './measurements.ts';
import type { SearchProblem } from './search-problem.ts';

/** A candidate that the search leaves out, and why. */
export interface Pruned {
  readonly site: number;
  readonly candidate: number;
  readonly reason: string;
}

export interface Sensitivity {
  /** What is left at each site, the original first, then in the order of candidates. */
  readonly choices: readonly (readonly Choice[])[];
  readonly pruned: readonly Pruned[];
}

/** Of all evaluations; what is left builds combinations. */
const share = 2 / 3;

/**
 * Measures every candidate alone at its site, largest saving first, with at most two thirds of the evaluations. Left out: what saves nothing
 * (unmeasured, as the original loses nothing), what alone loses more than `largestBudget`, what another candidate of the site beats
 * (no more loss, no less saving; of equal ones the first stays), and what there were no evaluations for.
 */
export async function measureSensitivity(problem: SearchProblem, measurements: Measurements, largestBudget: number): Promise<Sensitivity> {
  const { saving, maxEvaluations } = problem;
  const pruned: Pruned[] = [];
  const all = saving.flatMap((row, site) => row.map((seconds, candidate) => ({ site, candidate, saving: seconds })).slice(1));
  const found = saving.map((): Choice[] => [{ candidate: 0, loss: 0, saving: 0 }]);
  for (const { site, candidate, saving: seconds } of all.toSorted((a, b) => b.saving - a.saving)) {
    const leaveOut = (reason: string) => pruned.push({ site, candidate, reason });
    if (seconds <= 0) {
      leaveOut('saves nothing');
      continue;
    }
    const alone = saving.map((_, at) => (at === site ? candidate : 0));
    if (measurements.count >= Math.max(1, Math.floor(share * maxEvaluations))) {
      leaveOut('not measured: evaluations were used for combinations');
      continue;
    }
    const { loss } = await measurements.measure(alone);
    if (loss > largestBudget) leaveOut(`loses ${loss} on its own, more than the budget of ${largestBudget}`);
    else found[site]!.push({ candidate, loss, saving: seconds });
  }
  const choices = found.map((list, site) => undominated(list, site, pruned));
  return { choices, pruned: pruned.toSorted((a, b) => a.site - b.site || a.candidate - b.candidate) };
}

function undominated(list: readonly Choice[], site: number, pruned: Pruned[]): Choice[] {
  const ordered = list.toSorted((a, b) => a.candidate - b.candidate);
  return ordered.filter((choice, index) => {
    const by = ordered.find((other, at) => {
      const equal = other.loss === choice.loss && other.saving === choice.saving;
      return other.loss <= choice.loss && other.saving >= choice.saving && (equal ? at < index : true) && at !== index;
    });
    if (by !== undefined) pruned.push({ site, candidate: choice.candidate, reason: `candidate ${by.candidate} saves more and loses less` });
    return by === undefined;
  });
}
