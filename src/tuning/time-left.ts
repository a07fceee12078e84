import type { Tuning } from '../contract/tuning.ts';
import { median } from '../statistics/order-statistics.ts';

/** The most epochs that a tuning may train: of the baseline, and of each candidate with its search, seeds, control and ablations. */
export function mostEpochs({ space, search, training }: Tuning): { readonly baseline: number; readonly candidate: number } {
  const { techniques, ...others } = space;
  const choices = Object.values(others).filter((list) => list !== undefined && list.length > 1).length;
  const ablations = choices + Math.max(...techniques.map((used) => used.length));
  const trainings = search.trials + (search.seeds - 1) + 1 + ablations * search.seeds;
  return { baseline: search.seeds * training.epochs, candidate: trainings * training.epochs };
}

/** How long the trainings of a tuning may still take, by the epochs that may be left and those that were timed. */
export class TimeLeft {
  readonly #tuning: Tuning;
  /** Of each epoch that was trained just now. Their median counts, as a computer may have slept in one of them. */
  readonly #seconds: number[] = [];
  /** Epochs that are done, by trial, of the part at hand. */
  #done = new Map<string, number>();
  #part: 'baseline' | number = 'baseline';

  constructor(tuning: Tuning) {
    this.#tuning = tuning;
  }

  /** A candidate's part begins, by its index. */
  begin(candidate: number): void {
    this.#part = candidate;
    this.#done = new Map();
  }

  /** A trial has that many epochs behind it; the last one took `seconds` where it was trained just now. */
  done(trial: string, epochs: number, seconds?: number): void {
    this.#done.set(trial, epochs);
    if (seconds !== undefined) this.#seconds.push(seconds);
  }

  /** Undefined before an epoch was timed. */
  get atMostSeconds(): number | undefined {
    if (this.#seconds.length === 0) return undefined;
    const { baseline, candidate } = mostEpochs(this.#tuning);
    const whole = this.#part === 'baseline' ? baseline : candidate;
    const behind = [...this.#done.values()].reduce((sum, epochs) => sum + epochs, 0);
    const ahead = this.#tuning.candidates.length - (this.#part === 'baseline' ? 0 : this.#part + 1);
    return (Math.max(0, whole - behind) + ahead * candidate) * median(this.#seconds);
  }
}
