import type { Interval } from './resample.ts';

/** Shares of its capital that a wager risks on each value, and how its first unit of capital is divided among them. */
const stakes = [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32].map((risk, at, all) => ({ risk, part: 2 ** -Math.min(at + 1, all.length - 1) }));

/**
 * Evidence, value by value, against the claim that a mean is at most `mean`, of values that are never below `floor`: the capital of somebody who
 * bets against it at fair odds, K = Σ pᵢ Π (1 + rᵢ·(x − mean)/(mean − floor)), which begins at 1 and is never negative. Where the claim is true, no factor is expected to
 * exceed 1, so that K ever reaches 1/ε with a probability of at most ε (Ville), however often one looks and whenever one stops. Waudby-Smith
 * and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86, 2024; fixed stakes side by side instead of adaptive ones, so that a run of equal values
 * costs one factor of 2 more than the best stake alone.
 */
export class Wager {
  readonly #floor: number;
  readonly #reach: number;
  readonly #logs = Float64Array.from(stakes, ({ part }) => Math.log(part));

  constructor({ mean, floor }: { readonly mean: number; readonly floor: number }) {
    this.#floor = floor;
    this.#reach = mean - floor;
  }

  /** @throws RangeError on a value below the floor, or no number */
  add(value: number): void {
    const above = value - this.#floor;
    if (!(above >= 0)) throw new RangeError(`Wager: ${value} is below ${this.#floor}`);
    if (this.#reach <= 0) return;
    const ratio = above / this.#reach;
    for (let at = 0; at < stakes.length; at += 1) this.#logs[at]! += Math.log(1 + stakes[at]!.risk * (ratio - 1));
  }

  /** Whether the claim is refuted, with at most this chance of ever saying so of a true one. Means below the floor always are. */
  refutes(error: number): boolean {
    const needed = -Math.log(error);
    if (this.#reach < 0) return true;
    const most = Math.max(...this.#logs);
    return (
      most + Math.log(stakes.length) >= needed && most + Math.log(this.#logs.reduce((sum, log) => sum + Math.exp(log - most), 0)) >= needed
    );
  }
}

/**
 * An interval of the mean of values in a known range that holds at every number of values at once: the means that a {@link Wager} does not refute. An end is infinite
 * where the range is on its side.
 * @param error of each end
 */
export function bettingInterval(values: readonly number[], range: Interval, error: number): Interval {
  return {
    low: lowestMean(values, range.low, error),
    high: -lowestMean(
      values.map((value) => -value),
      -range.high,
      error,
    ),
  };
}

/** Halvings of the range: beyond the precision that anything is told in. */
const halvings = 50;

function lowestMean(values: readonly number[], floor: number, error: number): number {
  if (!Number.isFinite(floor)) return -Infinity;
  // No mean from the largest value on is ever refuted, and of two means the lower one is refuted first.
  let [low, high] = [floor, Math.max(...values)];
  for (let halving = 0; halving < halvings && low < high; halving += 1) {
    const mean = (low + high) / 2;
    const wager = new Wager({ mean, floor });
    for (const value of values) wager.add(value);
    if (wager.refutes(error)) low = mean;
    else high = mean;
  }
  return low;
}
