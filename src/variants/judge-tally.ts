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

/** How many rows may be ambiguous. */
export interface AmbiguityLimits {
  /** The largest share. */
  readonly share: number;
  /** As many as are decided as one. */
  readonly decidedTogether: number;
}

/** What the reference says of some rows of an output, plain values that can be kept. */
export interface ExpectedOutput {
  readonly rows: readonly ExpectedRow[];
  readonly limits: AmbiguityLimits;
}

/** Judges an output `[batch, heads, queries, headDim]` by rows that were computed beforehand. */
export function judgeRows(actual: Float32Array, shape: Shape, { rows, limits }: ExpectedOutput): Judgement {
  const tally = new JudgeTally(limits);
  if (tally.checkWhole(actual, shape)) for (const row of rows) tally.add(row, rowOf(actual, shape, row.at));
  return tally.judgement();
}

export function rowOf(actual: Float32Array, { heads, queries, headDim }: Shape, { batch, head, query }: RowAddress): Float32Array {
  const from = ((batch * heads + head) * queries + query) * headDim;
  return actual.subarray(from, from + headDim);
}

/** A row may err by this many times its allowance, the norm over all by this many of theirs. */
const rowSlack = 8;
const normSlack = 2;

/** Adds up the rows of one output. */
export class JudgeTally {
  readonly #limits: AmbiguityLimits;
  #error = 0;
  #norm = 0;
  #allowed = 0;
  #rows = 0;
  #ambiguous = 0;
  #broken: string | undefined;
  #worst: Judgement['worst'] = { batch: 0, head: 0, query: 0, relative: 0, ofAllowance: 0 };

  constructor(limits: AmbiguityLimits) {
    this.#limits = limits;
  }

  /** Refuses an output of another size, or with a number that is not finite anywhere; says whether the size is right, so that there are rows to look at. */
  checkWhole(actual: Float32Array, { batch, heads, queries, headDim }: Shape): boolean {
    const expected = batch * heads * queries * headDim;
    if (actual.length !== expected) {
      this.#broken = `output holds ${actual.length} elements, expected ${expected}`;
      return false;
    }
    const at = firstNotFinite(actual);
    if (at >= 0) {
      const row = Math.floor(at / headDim);
      const head = Math.floor(row / queries);
      const address = { batch: Math.floor(head / heads), head: head % heads, query: row % queries };
      this.#broken = `output is ${actual[at]} at ${describe(address)}, element ${at % headDim}, expected finite numbers`;
    }
    return true;
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
    const most = Math.max(2, this.#limits.decidedTogether, Math.floor(this.#rows * this.#limits.share));
    if (this.#ambiguous <= most) return undefined;
    return `${this.#ambiguous} of ${this.#rows} rows are near ties that rounding may decide, expected at most ${most}`;
  }
}

/** A plain loop: it runs once in each worker, over the whole output. */
function firstNotFinite(values: Float32Array): number {
  for (let at = 0; at < values.length; at++) if (!Number.isFinite(values[at])) return at;
  return -1;
}

function ratio(part: number, whole: number): number {
  return part === 0 ? 0 : part / whole;
}

function describe({ batch, head, query }: RowAddress): string {
  return `batch ${batch}, head ${head}, query ${query}`;
}
