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
  /** Σ_{e in the prefix} w_e·(v_e − o_i), `[headDim]`: the prefix's weight times its output's error. */
  readonly #residual: Float64Array;

  constructor(headDim: number) {
    this.#output = new Float64Array(headDim);
    this.#residual = new Float64Array(headDim);
  }

  /**
   * The first prefix, in falling order of p, whose renormalised output differs from o_i by less than e·‖o_i‖; the whole
   * set where o_i = 0.
   */
  measure(row: RankedRow, frame: HeadFrame): void {
    const outputNorm = this.#attend(row, frame);
    this.#residual.fill(0);
    for (const name of errorBudgetNames) this.length[name] = row.count;
    let budget = 0;
    let held = 0;
    for (let rank = 0; rank < row.count; rank += 1) {
      const entry = row.byMass.entries[rank]!;
      held += row.weight[entry]!;
      const error = this.#addResidual(frame.value, row.key[entry]! * frame.headDim, row.weight[entry]!) / held;
      while (error < errorBudgets[errorBudgetNames[budget]!] * outputNorm) {
        this.length[errorBudgetNames[budget]!] = rank + 1;
        budget += 1;
        if (budget === errorBudgetNames.length) return;
      }
    }
  }

  /** Computes o_i; returns ‖o_i‖. */
  #attend(row: RankedRow, frame: HeadFrame): number {
    const output = this.#output;
    const { headDim, value } = frame;
    output.fill(0);
    for (let rank = 0; rank < row.count; rank += 1) {
      const entry = row.byMass.entries[rank]!;
      const share = row.weight[entry]! / row.total;
      const start = row.key[entry]! * headDim;
      for (let m = 0; m < headDim; m += 1) output[m] = output[m]! + share * value[start + m]!;
    }
    let square = 0;
    for (let m = 0; m < headDim; m += 1) square += output[m]! * output[m]!;
    return Math.sqrt(square);
  }

  /** Adds weight·(v − o_i); returns the residual's norm. */
  #addResidual(value: Float64Array, start: number, weight: number): number {
    const output = this.#output;
    const residual = this.#residual;
    let square = 0;
    for (let m = 0; m < residual.length; m += 1) {
      const sum = residual[m]! + weight * (value[start + m]! - output[m]!);
      residual[m] = sum;
      square += sum * sum;
    }
    return Math.sqrt(square);
  }
}
