/** Unit roundoffs of what a kernel computes: its sums, and the features that it maps queries and keys to. */
export interface Roundoffs {
  readonly sums: number;
  readonly features: number;
  /** The size below which a feature's error no longer shrinks with it: elu(x) + 1 is computed from elu(x). */
  readonly leastFeature: number;
}

/** What a query reads from a state, `[columns]`, and the variance of the rounding errors in it. */
export interface Reading {
  readonly value: Float64Array;
  readonly variance: Float64Array;
}

export function createReading(columns: number): Reading {
  return { value: new Float64Array(columns), variance: new Float64Array(columns) };
}

/**
 * The state S `[rows, columns]` of one head in float64, and beside each element the variance V of a kernel's rounding errors in it, to first
 * order. Errors of single operations are independent: a stored element errs by u|S|, a feature by twice its roundoff, and a sum of t products
 * by u√(t/2) of the root of their squares and of their sum. A decay errs alike at every step, so its errors add up as they are.
 */
export class State {
  readonly #rows: number;
  readonly #columns: number;
  readonly #roundoffs: Roundoffs;
  readonly #state: Float64Array;
  readonly #variance: Float64Array;
  readonly #held: Reading;
  readonly #squares: Float64Array;

  constructor(rows: number, columns: number, roundoffs: Roundoffs) {
    this.#rows = rows;
    this.#columns = columns;
    this.#roundoffs = roundoffs;
    this.#state = new Float64Array(rows * columns);
    this.#variance = new Float64Array(rows * columns);
    this.#held = createReading(columns);
    this.#squares = new Float64Array(columns);
  }

  /** S ← γS. */
  decay(gamma: number): void {
    if (gamma === 1) return;
    const u = this.#roundoffs.sums;
    const [state, variance] = [this.#state, this.#variance];
    for (let e = 0; e < state.length; e++) {
      variance[e] = (gamma * (Math.sqrt(variance[e]!) + u * Math.abs(state[e]!))) ** 2;
      state[e]! *= gamma;
    }
  }

  /** S ← S + k xᵀ, for k `[rows]` and x `[columns]`. */
  add(key: Float64Array, value: Float64Array): void {
    const stored = this.#roundoffs.sums ** 2;
    const [state, variance, columns] = [this.#state, this.#variance, this.#columns];
    for (let a = 0, e = 0; a < this.#rows; a++) {
      const mapped = this.#featureError(key[a]!) ** 2;
      for (let b = 0; b < columns; b++, e++) {
        state[e]! += key[a]! * value[b]!;
        variance[e]! += stored * state[e]! ** 2 + mapped * value[b]! ** 2;
      }
    }
  }

  /** S ← S + k xᵀ with x = β(v − Sᵀk): what the key held is replaced by v, or a share β of it. */
  write(key: Float64Array, value: Float64Array, beta: number): void {
    const { value: held, variance: uncertain } = this.#held;
    this.read(key, this.#held);
    for (let b = 0; b < held.length; b++) {
      uncertain[b] = beta ** 2 * (uncertain[b]! + (this.#roundoffs.sums * value[b]!) ** 2);
      held[b] = beta * (value[b]! - held[b]!);
    }
    for (let a = 0, e = 0; a < this.#rows; a++) {
      const square = key[a]! ** 2;
      // Of the errors that S holds, I − βkkᵀ takes away those along the key, and puts what retrieving them added in their place.
      const kept = Math.max(0, 1 - 2 * beta * square);
      for (let b = 0; b < held.length; b++, e++) this.#variance[e] = kept * this.#variance[e]! + square * uncertain[b]!;
    }
    this.add(key, held);
  }

  /** Sᵀq, for q `[rows]`. */
  read(query: Float64Array, { value, variance }: Reading): void {
    const [state, errors, squares, columns] = [this.#state, this.#variance, this.#squares, this.#columns];
    value.fill(0);
    variance.fill(0);
    squares.fill(0);
    for (let a = 0, e = 0; a < this.#rows; a++) {
      const feature = query[a]!;
      const mapped = this.#featureError(feature) ** 2;
      for (let b = 0; b < columns; b++, e++) {
        const product = feature * state[e]!;
        value[b]! += product;
        squares[b]! += product * product;
        variance[b]! += feature * feature * errors[e]! + mapped * state[e]! ** 2;
      }
    }
    const added = (this.#roundoffs.sums ** 2 * this.#rows) / 2;
    for (let b = 0; b < columns; b++) variance[b]! += added * (squares[b]! + value[b]! ** 2);
  }

  #featureError(feature: number): number {
    // A feature that is exactly 0 is one in any arithmetic.
    return feature === 0 ? 0 : 2 * this.#roundoffs.features * Math.max(Math.abs(feature), this.#roundoffs.leastFeature);
  }
}
