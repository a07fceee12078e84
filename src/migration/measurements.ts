import { AttnswapError } from '../contract/errors.ts';
import { assignmentKey, savingOf } from './search-problem.ts';
import type { Assignment, SearchProblem } from './search-problem.ts';

export interface Measurement {
  readonly key: string;
  readonly assignment: Assignment;
  /** Estimated, seconds a call. */
  readonly saving: number;
  readonly loss: number;
}

/** All losses of one search: each assignment is measured once, known ones never. */
export class Measurements {
  readonly #problem: SearchProblem;
  readonly #found = new Map<string, Measurement>();
  /** Measurements that took a call of `quality`. */
  fresh = 0;

  constructor(problem: SearchProblem) {
    this.#problem = problem;
    const original = problem.saving.map(() => 0);
    this.#found.set(assignmentKey(original), { key: assignmentKey(original), assignment: original, saving: 0, loss: 0 });
  }

  /** In the order of measuring; the original, whose loss is 0 by definition, comes first. */
  all(): Measurement[] {
    return [...this.#found.values()];
  }

  /** Assignments looked at, the original aside. */
  get count(): number {
    return this.#found.size - 1;
  }

  get spent(): boolean {
    return this.count >= this.#problem.maxEvaluations;
  }

  has(assignment: Assignment): boolean {
    return this.#found.has(assignmentKey(assignment));
  }

  /** @throws INVALID_MIGRATION where `quality` answers NaN or a negative loss */
  async measure(assignment: Assignment): Promise<Measurement> {
    const key = assignmentKey(assignment);
    const found = this.#found.get(key);
    if (found !== undefined) return found;
    const measured = { key, assignment, saving: savingOf(this.#problem.saving, assignment), loss: await this.#lossOf(key, assignment) };
    this.#found.set(key, measured);
    return measured;
  }

  async #lossOf(key: string, assignment: Assignment): Promise<number> {
    const known = this.#problem.known?.get(key);
    if (known !== undefined) return known;
    const { loss } = await this.#problem.quality(assignment);
    if (!(loss >= 0)) {
      throw new AttnswapError('INVALID_MIGRATION', `the loss of assignment ${key} is ${loss}, expected a number ≥ 0`, {
        hint: 'return Infinity for a useless model and 0 for one better than the original',
      });
    }
    this.fresh += 1;
    await this.#problem.onMeasured?.(key, loss);
    return loss;
  }

  /** Losses of an assignment's sites alone, added up; null where one was not measured. */
  additive(assignment: Assignment): number | null {
    return assignment.reduce<number | null>((sum, candidate, site) => {
      const alone = this.#found.get(assignmentKey(assignment.map((_, at) => (at === site ? candidate : 0))));
      return sum === null || alone === undefined ? null : sum + alone.loss;
    }, 0);
  }

  /** The largest saving within a budget; of equal ones the least loss, then the first measured. The original is always within. */
  best(budget: number): Measurement {
    return this.all().reduce((best, found) => {
      if (found.loss > budget || found.saving < best.saving) return best;
      return found.saving > best.saving || found.loss < best.loss ? found : best;
    });
  }
}
