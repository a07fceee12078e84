import type { AttentionInputs } from '../contract/inputs.ts';
import type { DType } from '../contract/shape.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import type { HeadView } from './head-view.ts';
import { visitRows } from './reference.ts';
import type { ReferenceRow, RowAddress } from './reference.ts';
import { sampleRows } from './sample-rows.ts';

/** Unit roundoff: half the distance from 1 to the next larger number. */
export const unitRoundoff: Readonly<Record<DType, number>> = { f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -8 };

export interface JudgeOptions {
  /** Every row, or a seeded sample stratified by head and position, first and last queries always among them. */
  readonly rows: 'all' | { readonly count: number; readonly seed: number };
  /** Logits are exact in the dtype (small whole numbers): no tie is left to rounding, so every row is judged. */
  readonly exactLogits?: boolean;
}

export interface Judgement {
  readonly ok: boolean;
  /** ‖out − ref‖/‖ref‖ over the judged rows. */
  readonly relative: number;
  readonly budget: number;
  readonly rowsChecked: number;
  /** Rows whose selection a rounding error may change: not judged, only required to be finite. */
  readonly ambiguousRows: number;
  /** The row that exceeds its own allowance most, and by what factor. */
  readonly worst: RowAddress & { readonly ofAllowance: number };
  readonly reason?: string;
}

/** A row may exceed the estimate of its own error by this factor; the norm over many rows by a quarter of it. */
const rowSlack = 8;
const normSlack = 2;

/**
 * Judges a kernel's output `[batch, heads, queries, headDim]` against the float64 reference.
 *
 * The budget follows from the dtype and the sums. A logit is a sum of headDim products, so its error is about
 * u·(√headDim + 4)·c‖q‖‖k‖ =: ε (rounding errors add up like a random walk; Higham and Mary 2019). An error ε of the logits
 * moves the weights by a factor 1 ± 2ε, and exp and the weighted sum of m entries add u·(√m + 8): row i may err by
 * t_i = (2ε + u(√m + 8))·Σ_j p_ij‖v_j‖. The budget of the whole is 2·√Σt_i²/‖ref‖, of one row 8·t_i: a single leaked key
 * in one row is far beyond it, while the norm over thousands of rows would hide it. NaN never passes.
 */
export function judgeOutput(
  actual: Float32Array,
  inputs: AttentionInputs,
  variant: Variant,
  parameters: Parameters,
  options: JudgeOptions,
): Judgement {
  const { shape } = inputs;
  const expected = shape.batch * shape.heads * shape.queries * shape.headDim;
  if (actual.length !== expected) return unjudged(`output holds ${actual.length} elements, expected ${expected}`);
  const tally = new Tally();
  const logitError = logitErrors(inputs, variant.name === 'gated');
  visitRows(inputs, { variant, parameters }, sampleRows(shape, options.rows), (reference) => {
    const { at, row, output } = reference;
    const epsilon = logitError(reference);
    const ambiguous = options.exactLogits !== true && row.margin < 8 * epsilon;
    const from = ((at.batch * shape.heads + at.head) * shape.queries + at.query) * shape.headDim;
    const allowance = allowanceOf(reference, epsilon, shape.dtype);
    tally.add(at, actual.subarray(from, from + shape.headDim), output, { allowance, ambiguous });
  });
  return tally.judgement();
}

/** The typical rounding error of a row's logits, in logits. */
function logitErrors(inputs: AttentionInputs, isGated: boolean): (reference: ReferenceRow) => number {
  const { headDim, dtype, keys } = inputs.shape;
  const longest = new WeakMap<HeadView, number>();
  const longestKey = (view: HeadView) => {
    let length = longest.get(view) ?? 0;
    for (let j = 0; !longest.has(view) && j < keys; j++) length = Math.max(length, norm(view.key, j, headDim));
    longest.set(view, length);
    return length;
  };
  return ({ view, at }) => {
    const size = inputs.scale * norm(view.query, at.query, headDim) * longestKey(view);
    // A gate's own logit has a like error, and s·sigmoid(γ) passes on at most |s|/4 of it.
    const gateFactor = isGated ? 1 + Math.max(1, size) / 4 : 1;
    return unitRoundoff[dtype] * (Math.sqrt(headDim) + 4) * size * gateFactor;
  };
}

function allowanceOf({ row, rows, view, weights }: ReferenceRow, epsilon: number, dtype: DType): number {
  const { keys, headDim } = view.shape;
  let mass = 0;
  for (let e = 0; e < row.length; e++) {
    if (weights[e]! < 1e-12) continue;
    const key = row.key[e]!;
    mass += weights[e]! * (key < keys ? norm(view.value, key, headDim) : norm(rows.pools[key - keys]!.value, 0, headDim));
  }
  return (2 * epsilon + unitRoundoff[dtype] * (Math.sqrt(row.length) + 8)) * mass;
}

function norm(vectors: Float32Array | Float64Array, index: number, headDim: number): number {
  let square = 0;
  for (let m = index * headDim; m < (index + 1) * headDim; m++) square += vectors[m]! ** 2;
  return Math.sqrt(square);
}

class Tally {
  #error = 0;
  #norm = 0;
  #allowed = 0;
  #rows = 0;
  #ambiguous = 0;
  #notFinite: RowAddress | undefined;
  #worst: Judgement['worst'] = { batch: 0, head: 0, query: 0, ofAllowance: 0 };

  add(at: RowAddress, actual: Float32Array, reference: Float64Array, given: { allowance: number; ambiguous: boolean }): void {
    this.#rows++;
    let error = 0;
    let norm = 0;
    for (let m = 0; m < reference.length; m++) {
      error += (actual[m]! - reference[m]!) ** 2;
      norm += reference[m]! ** 2;
    }
    if (!Number.isFinite(error)) this.#notFinite ??= at;
    if (given.ambiguous) {
      this.#ambiguous++;
      return;
    }
    this.#error += error;
    this.#norm += norm;
    this.#allowed += given.allowance ** 2;
    const ofAllowance = error === 0 ? 0 : Math.sqrt(error) / given.allowance;
    if (!(ofAllowance <= this.#worst.ofAllowance)) this.#worst = { ...at, ofAllowance };
  }

  judgement(): Judgement {
    const relative = this.#error === 0 ? 0 : Math.sqrt(this.#error / this.#norm);
    const budget = this.#norm === 0 ? 0 : normSlack * Math.sqrt(this.#allowed / this.#norm);
    const figures = { relative, budget, rowsChecked: this.#rows, ambiguousRows: this.#ambiguous, worst: this.#worst };
    const reason = this.#reason(relative, budget);
    return reason === undefined ? { ok: true, ...figures } : { ok: false, ...figures, reason };
  }

  #reason(relative: number, budget: number): string | undefined {
    const name = ({ batch, head, query }: RowAddress) => `batch ${batch}, head ${head}, query ${query}`;
    if (this.#notFinite !== undefined) return `output is not finite at ${name(this.#notFinite)}`;
    if (!(relative <= budget)) return `relative error ${relative.toExponential(2)}, budget ${budget.toExponential(2)}`;
    const { ofAllowance } = this.#worst;
    if (!(ofAllowance <= rowSlack))
      return `row at ${name(this.#worst)} errs ${ofAllowance.toPrecision(3)} times its allowance, expected at most ${rowSlack}`;
    const most = Math.max(2, Math.floor(this.#rows / 5));
    return this.#ambiguous <= most ? undefined : `${this.#ambiguous} of ${this.#rows} rows are ambiguous, expected at most ${most}`;
  }
}

function unjudged(reason: string): Judgement {
  const worst = { batch: 0, head: 0, query: 0, ofAllowance: Infinity };
  return { ok: false, relative: Infinity, budget: 0, rowsChecked: 0, ambiguousRows: 0, worst, reason };
}
