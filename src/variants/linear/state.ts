import { Arena, bytesInArena } from '../../lanes/lanes.ts';

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
  /** Columns with one of zeros behind an odd number of them. */
  readonly #width: number;
  readonly #roundoffs: Roundoffs;
  readonly #arena: Arena;
  /** `[rows, width]`. */
  readonly #state: Float64Array;
  readonly #variance: Float64Array;
  /** A key or query, `[rows]`, and what belongs to each of its elements: its variance, and what {@link write} keeps and adds. */
  readonly #feature: Float64Array;
  readonly #mapped: Float64Array;
  readonly #kept: Float64Array;
  readonly #square: Float64Array;
  /** `[width]`: what is added, what is read, and its squares and variance. */
  readonly #value: Float64Array;
  readonly #held: Float64Array;
  readonly #squares: Float64Array;
  readonly #uncertain: Float64Array;

  constructor(rows: number, columns: number, roundoffs: Roundoffs) {
    this.#rows = rows;
    this.#columns = columns;
    this.#width = columns + (columns % 2);
    this.#roundoffs = roundoffs;
    this.#arena = new Arena(2 * bytesInArena(8 * rows * this.#width) + 4 * bytesInArena(8 * rows) + 4 * bytesInArena(8 * this.#width));
    const of = (length: number) => this.#arena.float64(length);
    [this.#state, this.#variance] = [of(rows * this.#width), of(rows * this.#width)];
    [this.#feature, this.#mapped, this.#kept, this.#square] = [of(rows), of(rows), of(rows), of(rows)];
    [this.#value, this.#held, this.#squares, this.#uncertain] = [of(this.#width), of(this.#width), of(this.#width), of(this.#width)];
  }

  /** S ← γS. */
  decay(gamma: number): void {
    if (gamma === 1) return;
    const [state, variance] = [this.#state, this.#variance];
    this.#arena.lanes.decay(state.byteOffset, variance.byteOffset, state.length, gamma, this.#roundoffs.sums);
  }

  /** S ← S + k xᵀ, for k `[rows]` and x `[columns]`. */
  add(key: Float64Array, value: Float64Array): void {
    this.#take(key);
    this.#value.set(value);
    this.#add(this.#value);
  }

  /** S ← S + k xᵀ with x = β(v − Sᵀk): what the key held is replaced by v, or a share β of it. */
  write(key: Float64Array, value: Float64Array, beta: number): void {
    const [held, uncertain] = [this.#held, this.#uncertain];
    this.#take(key);
    this.#read();
    for (let b = 0; b < this.#columns; b++) {
      uncertain[b] = beta ** 2 * (uncertain[b]! + (this.#roundoffs.sums * value[b]!) ** 2);
      held[b] = beta * (value[b]! - held[b]!);
    }
    for (let a = 0; a < this.#rows; a++) {
      const square = key[a]! ** 2;
      this.#square[a] = square;
      // Of the errors that S holds, I − βkkᵀ takes away those along the key, and puts what retrieving them added in their place.
      this.#kept[a] = Math.max(0, 1 - 2 * beta * square);
    }
    const { lanes } = this.#arena;
    lanes.replace(this.#variance.byteOffset, this.#rows, this.#width, this.#kept.byteOffset, this.#square.byteOffset, uncertain.byteOffset);
    this.#add(held);
  }

  /** Sᵀq, for q `[rows]`. */
  read(query: Float64Array, { value, variance }: Reading): void {
    this.#take(query);
    this.#read();
    value.set(this.#held.subarray(0, this.#columns));
    variance.set(this.#uncertain.subarray(0, this.#columns));
  }

  /** Takes a key or query, with the variance of its elements. */
  #take(vector: Float64Array): void {
    for (let a = 0; a < this.#rows; a++) {
      this.#feature[a] = vector[a]!;
      this.#mapped[a] = this.#featureError(vector[a]!) ** 2;
    }
  }

  /** Adds the vector taken last times `value`. */
  #add(value: Float64Array): void {
    this.#arena.lanes.add(
      this.#state.byteOffset,
      this.#variance.byteOffset,
      this.#rows,
      this.#width,
      this.#feature.byteOffset,
      this.#mapped.byteOffset,
      value.byteOffset,
      this.#roundoffs.sums ** 2,
    );
  }

  /** What the vector taken last reads, and its variance. */
  #read(): void {
    const [held, squares, uncertain] = [this.#held, this.#squares, this.#uncertain];
    this.#arena.lanes.read(
      this.#state.byteOffset,
      this.#variance.byteOffset,
      this.#rows,
      this.#width,
      this.#feature.byteOffset,
      this.#mapped.byteOffset,
      held.byteOffset,
      squares.byteOffset,
      uncertain.byteOffset,
    );
    const added = (this.#roundoffs.sums ** 2 * this.#rows) / 2;
    for (let b = 0; b < this.#columns; b++) uncertain[b]! += added * (squares[b]! + held[b]! ** 2);
  }

  #featureError(feature: number): number {
    // A feature that is exactly 0 is one in any arithmetic.
    return feature === 0 ? 0 : 2 * this.#roundoffs.features * Math.max(Math.abs(feature), this.#roundoffs.leastFeature);
  }
}
