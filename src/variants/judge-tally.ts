import type { Shape } from '../contract/shape.ts';
import type { RowAddress } from './reference.ts';

/** How an output stands to the reference. */
export interface Judgement {
  readonly ok: boolean;
  /** ‖out − ref‖/‖ref‖ over the judged rows; Infinity where the output has another size or the reference is 0. */
  readonly relative: number;
  /** The largest `relative` that passes. */
  readonly budget: number;
  /** Rows looked at, ambiguous ones too. */
  readonly rowsChecked: number;
  /** Rows whose selection a rounding error may change: not judged, only required to be finite. */
  readonly ambiguousRows: number;
  /** The row that exceeds its own allowance most: its ‖out − ref‖/‖ref‖, and ‖out − ref‖ in allowances. */
  readonly worst: RowAddress & { readonly relative: number; readonly ofAllowance: number };
  readonly reason?: string;
}

/** What the reference says of one row. */
export interface ExpectedRow {
  readonly at: RowAddress;
  /** `[headDim]`, float64. */
  readonly output: Float64Array;
  /** The error ‖out − ref‖ that rounding alone is expected to stay below. */
  readonly allowance: number;
  /** Whether a rounding error may change what the row selects. */
  readonly ambiguous: boolean;
}

/** A row may err by this many times its allowance, the norm over all by this many of theirs. */
const rowSlack = 8;
const normSlack = 2;

/** Adds up the rows of one output. */
export class JudgeTally {
  readonly #limits: { ambiguousShare: number; rowsDecidedTogether: number };
  #error = 0;
  #norm = 0;
  #allowed = 0;
  #rows = 0;
  #ambiguous = 0;
  #broken: string | undefined;
  #worst: Judgement['worst'] = { batch: 0, head: 0, query: 0, relative: 0, ofAllowance: 0 };

  constructor(limits: { ambiguousShare: number; rowsDecidedTogether: number }) {
    this.#limits = limits;
  }

  /** Refuses an output of another size, or with a number that is not finite anywhere. */
  checkWhole(actual: Float32Array, { batch, heads, queries, headDim }: Shape): void {
    const expected = batch * heads * queries * headDim;
    const at = actual.findIndex((element) => !Number.isFinite(element));
    if (actual.length !== expected) this.#broken = `output holds ${actual.length} elements, expected ${expected}`;
    else if (at >= 0) {
      const row = Math.floor(at / headDim);
      const head = Math.floor(row / queries);
      const address = { batch: Math.floor(head / heads), head: head % heads, query: row % queries };
      this.#broken = `output is ${actual[at]} at ${describe(address)}, element ${at % headDim}, expected finite numbers`;
    }
  }

  add({ at, output: reference, ...given }: ExpectedRow, actual: Float32Array): void {
    this.#rows++;
    let error = 0;
    let norm = 0;
    for (let m = 0; m < reference.length; m++) {
      error += (actual[m]! - reference[m]!) ** 2;
      norm += reference[m]! ** 2;
    }
    if (!Number.isFinite(norm)) this.#broken ??= `the reference is not finite at ${describe(at)}: the inputs are not finite`;
    if (given.ambiguous) {
      this.#ambiguous++;
      return;
    }
    this.#error += error;
    this.#norm += norm;
    this.#allowed += given.allowance ** 2;
    const ofAllowance = ratio(Math.sqrt(error), given.allowance);
    if (ofAllowance > this.#worst.ofAllowance) this.#worst = { ...at, relative: ratio(Math.sqrt(error), Math.sqrt(norm)), ofAllowance };
  }

  judgement(): Judgement {
    const isWhole = this.#broken === undefined;
    const relative = isWhole ? ratio(Math.sqrt(this.#error), Math.sqrt(this.#norm)) : Infinity;
    const budget = normSlack * ratio(Math.sqrt(this.#allowed), Math.sqrt(this.#norm));
    const figures = { relative, budget, rowsChecked: this.#rows, ambiguousRows: this.#ambiguous, worst: this.#worst };
    const reason = this.#broken ?? this.#excess(relative, budget) ?? this.#tooAmbiguous();
    return reason === undefined ? { ok: true, ...figures } : { ok: false, ...figures, reason };
  }

  #excess(relative: number, budget: number): string | undefined {
    if (!(relative <= budget)) {
      return `relative error ${relative.toExponential(2)}, budget ${budget.toExponential(2)}; worst at ${describe(this.#worst)}`;
    }
    const { ofAllowance } = this.#worst;
    if (ofAllowance <= rowSlack) return undefined;
    return `${describe(this.#worst)} has an error of ${ofAllowance.toPrecision(3)} times its allowance, expected at most ${rowSlack}`;
  }

  #tooAmbiguous(): string | undefined {
    const most = Math.max(2, this.#limits.rowsDecidedTogether, Math.floor(this.#rows * this.#limits.ambiguousShare));
    if (this.#ambiguous <= most) return undefined;
    return `${this.#ambiguous} of ${this.#rows} rows are near ties that rounding may decide, expected at most ${most}`;
  }
}

function ratio(part: number, whole: number): number {
  return part === 0 ? 0 : part / whole;
}

function describe({ batch, head, query }: RowAddress): string {
  return `batch ${batch}, head ${head}, query ${query}`;
}
