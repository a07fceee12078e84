import type { ErrorBudget } from './columns.ts';
import { errorBudgetNames, errorBudgets } from './columns.ts';
import type { HeadFrame } from './head-frame.ts';
import type { RankedRow } from './ranked-row.ts';

/** Finds, row by row, how few keys give the row's output within an error; its two vectors are reused. */
export class ErrorPrefix {
  /** Length of the first prefix within each error, of the row measured last. */
  readonly length: Record<ErrorBudget, number> = { e01: 0, e05: 0 };
  /** o_i, `[headDim]`. */
  readonly #output: Float64Array;
  /** Σ_{e in the prefix} w_e·v_e, `[headDim]`. */
  readonly #sum: Float64Array;

  constructor(headDim: number) {
    this.#output = new Float64Array(headDim);
    this.#sum = new Float64Array(headDim);
  }

  /**
   * The first prefix, in falling order of p, whose renormalised output differs from o_i by less than e·‖o_i‖; the whole
   * set where o_i = 0. A key moves Σ w·(v − o) by at most w·(‖v‖ + ‖o‖): its norm is computed again only once the keys
   * added since could have brought it below the bound.
   */
  measure(row: RankedRow, frame: HeadFrame): void {
    const outputNorm = this.#attend(row, frame);
    this.#sum.fill(0);
    for (const name of errorBudgetNames) this.length[name] = row.count;
    let budget = 0;
    let held = 0;
    let distance = 0;
    let added = 0;
    for (let rank = 0; rank < row.count; rank += 1) {
      const entry = row.byMass.entries[rank]!;
      held += row.weight[entry]!;
      distance -= row.weight[entry]! * (frame.norm[row.key[entry]!]! + outputNorm);
      if (distance > 0) continue;
      addRanks(this.#sum, row, frame, { from: added, to: rank + 1 });
      added = rank + 1;
      const residual = this.#residualNorm(held);
      while (residual < errorBudgets[errorBudgetNames[budget]!] * outputNorm * held) {
        this.length[errorBudgetNames[budget]!] = rank + 1;
        budget += 1;
        if (budget === errorBudgetNames.length) return;
      }
      distance = residual - errorBudgets[errorBudgetNames[budget]!] * outputNorm * row.total;
    }
  }

  /** Computes o_i; returns ‖o_i‖. */
  #attend(row: RankedRow, frame: HeadFrame): number {
    const output = this.#output;
    output.fill(0);
    addRanks(output, row, frame, { from: 0, to: row.count });
    let square = 0;
    for (let m = 0; m < output.length; m += 1) {
      output[m] = output[m]! / row.total;
      square += output[m]! ** 2;
    }
    return Math.sqrt(square);
  }

  /** ‖Σ w·v − held·o_i‖: the prefix's weight times its output's error. */
  #residualNorm(held: number): number {
    let square = 0;
    for (let m = 0; m < this.#sum.length; m += 1) square += (this.#sum[m]! - held * this.#output[m]!) ** 2;
    return Math.sqrt(square);
  }
}

/** Adds w·v of the entries of ranks [from, to), four at a time: `target` is then read and written a quarter as often. */
function addRanks(target: Float64Array, row: RankedRow, frame: HeadFrame, ranks: { from: number; to: number }): void {
  let rank = ranks.from;
  for (; rank + 4 <= ranks.to; rank += 4) addFour(target, row, frame, rank);
  for (; rank < ranks.to; rank += 1) {
    const entry = row.byMass.entries[rank]!;
    const weight = row.weight[entry]!;
    const start = row.key[entry]! * frame.headDim;
    for (let m = 0; m < target.length; m += 1) target[m] = target[m]! + weight * frame.value[start + m]!;
  }
}

function addFour(target: Float64Array, { byMass, key, weight }: RankedRow, { headDim, value }: HeadFrame, rank: number): void {
  const a = byMass.entries[rank]!;
  const b = byMass.entries[rank + 1]!;
  const c = byMass.entries[rank + 2]!;
  const d = byMass.entries[rank + 3]!;
  const [wa, wb, wc, wd] = [weight[a]!, weight[b]!, weight[c]!, weight[d]!];
  const [va, vb, vc, vd] = [key[a]! * headDim, key[b]! * headDim, key[c]! * headDim, key[d]! * headDim];
  for (let m = 0; m < target.length; m += 1) {
    target[m] = target[m]! + wa * value[va + m]! + wb * value[vb + m]! + (wc * value[vc + m]! + wd * value[vd + m]!);
  }
}
