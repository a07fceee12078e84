import type { Choice } from './knapsack.ts';
import type { Measurement } from './measurements.ts';
import type { Assignment } from './search-problem.ts';

export interface LossModel {
  /** The losses of the sites alone, added up, and what measured combinations taught of how sites act together; at least 0. */
  predict(assignment: Assignment): number;
  /** Σ √(lᵢ·lⱼ) over changed pairs of sites: how large their interaction could be. */
  interactionSize(assignment: Assignment): number;
}

/** Of a measured combination's own prior variance: what pairs cannot explain, such as three sites acting together. */
const unexplained = 1e-3;
/** Sites that lose nothing alone may still act on others, as if they lost this share of the mean. */
const leastLoss = 0.01;

/**
 * Predicts the loss of a combination as Σ lᵢ + Σ wᵢⱼ over its pairs of changed sites, each with its candidate. The wᵢⱼ are a Gaussian prior's
 * posterior mean given the measured combinations: wᵢⱼ = √(lᵢ·lⱼ)·(u + vᵢⱼ), one u for all pairs and one v for each, all of unit variance
 * (kernel ridge regression; Rasmussen and Williams, Gaussian Processes, §2.2). Without combinations it is additive.
 */
export function fitLossModel(choices: readonly (readonly Choice[])[], measured: readonly Measurement[]): LossModel {
  const places = new Places(choices);
  const usable = measured.filter(({ assignment, loss }) => Number.isFinite(loss) && places.of(assignment).length >= 2);
  const rows = usable
    .map(({ assignment, loss }) => ({ places: places.of(assignment), residual: loss - places.additive(assignment) }))
    .filter(({ residual }) => Number.isFinite(residual));
  const weights = pairWeights(places, rows);
  return {
    predict: (assignment) => Math.max(0, places.additive(assignment) + places.sumOfPairs(places.of(assignment), weights)),
    interactionSize: (assignment) => places.sumOfPairs(places.of(assignment), places.sizes),
  };
}

interface Row {
  readonly places: readonly number[];
  readonly residual: number;
}

/** A place is a site with one of its candidates, the original aside. */
class Places {
  /** `[places, places]`: √(lᵢ·lⱼ). */
  readonly sizes: Float64Array;
  readonly count: number;
  readonly #index: ReadonlyArray<ReadonlyMap<number, number>>;
  readonly #losses: number[] = [];

  constructor(choices: readonly (readonly Choice[])[]) {
    this.#index = choices.map((site) => {
      const entries = site.filter(({ candidate }) => candidate !== 0);
      return new Map(entries.map(({ candidate, loss }): [number, number] => [candidate, this.#losses.push(loss) - 1]));
    });
    this.count = this.#losses.length;
    const mean = this.#losses.reduce((sum, loss) => sum + loss, 0) / Math.max(1, this.count);
    const roots = this.#losses.map((loss) => Math.sqrt(Math.max(loss, leastLoss * mean)));
    this.sizes = Float64Array.from(roots.flatMap((root) => roots.map((other) => root * other)));
  }

  /** Those of an assignment that are known. */
  of(assignment: Assignment): number[] {
    return assignment.flatMap((candidate, site) => {
      const place = candidate === 0 ? undefined : this.#index[site]!.get(candidate);
      return place === undefined ? [] : [place];
    });
  }

  additive(assignment: Assignment): number {
    let sum = 0;
    for (const [site, candidate] of assignment.entries()) {
      if (candidate !== 0) sum += this.#losses[this.#index[site]!.get(candidate) ?? -1] ?? NaN;
    }
    return sum;
  }

  sumOfPairs(places: readonly number[], table: Float64Array): number {
    let sum = 0;
    for (let i = 1; i < places.length; i += 1) {
      for (let j = 0; j < i; j += 1) sum += table[places[j]! * this.count + places[i]!]!;
    }
    return sum;
  }
}

/** `[places, places]`, upper triangle: the posterior mean of each pair's interaction. */
function pairWeights(places: Places, rows: readonly Row[]): Float64Array {
  const weights = new Float64Array(places.count ** 2);
  if (rows.length === 0) return weights;
  const totals = rows.map((row) => places.sumOfPairs(row.places, places.sizes));
  const squares = places.sizes.map((size) => size * size);
  const kernel = rows.map((a, i) =>
    rows.map((b, j) => {
      const shared = a.places.filter((place) => b.places.includes(place));
      const own = i === j ? unexplained * totals[i]! ** 2 + Number.MIN_VALUE : 0;
      return places.sumOfPairs(shared, squares) + totals[i]! * totals[j]! + own;
    }),
  );
  const dual = solve(
    kernel,
    rows.map(({ residual }) => residual),
  );
  const shared = dual.reduce((sum, value, row) => sum + value * totals[row]!, 0);
  const add = (i: number, j: number, value: number) => (weights[i * places.count + j] = weights[i * places.count + j]! + value);
  for (let i = 0; i < places.count; i += 1)
    for (let j = i + 1; j < places.count; j += 1) add(i, j, shared * places.sizes[i * places.count + j]!);
  for (const [row, { places: held }] of rows.entries()) {
    for (const [at, j] of held.entries()) for (const i of held.slice(0, at)) add(i, j, dual[row]! * squares[i * places.count + j]!);
  }
  return weights;
}

/** x of A·x = b for a symmetric positive definite A, by Cholesky's factors in float64; directions without variance are left out. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const size = right.length;
  const factor = matrix.map(() => new Float64Array(size));
  const x = new Float64Array(size);
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = matrix[i]![j]!;
      for (let k = 0; k < j; k += 1) sum -= factor[i]![k]! * factor[j]![k]!;
      factor[i]![j] = i === j ? Math.sqrt(Math.max(sum, 0)) : factor[j]![j] === 0 ? 0 : sum / factor[j]![j]!;
    }
  }
  const divide = (value: number, i: number) => (factor[i]![i] === 0 ? 0 : value / factor[i]![i]!);
  for (let i = 0; i < size; i += 1) {
    let sum = right[i]!;
    for (let k = 0; k < i; k += 1) sum -= factor[i]![k]! * x[k]!;
    x[i] = divide(sum, i);
  }
  for (let i = size - 1; i >= 0; i -= 1) {
    let sum = x[i]!;
    for (let k = i + 1; k < size; k += 1) sum -= factor[k]![i]! * x[k]!;
    x[i] = divide(sum, i);
  }
  return [...x];
}
