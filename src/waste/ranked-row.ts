import type { HeadRows, Row } from '../contract/variant.ts';
import { FallingOrder } from './falling-order.ts';

/**
 * One row after softmax, its entries ranked. Buffers are reused from row to row. p of an entry is `weight`/`total`. The entry
 * of the first token is kept apart from the others, whose order and sums are then the same with the first token and without it.
 */
export class RankedRow implements Row {
  length = 0;
  margin = Infinity;
  sink = -Infinity;
  /** Entries that count: all of those filled, until {@link dropFirstToken}. */
  count = 0;
  /** Keys before this one are dropped, from pooled blocks too: 0, or 1 without the first token. */
  firstKey: 0 | 1 = 0;
  total = 0;
  readonly key: Int32Array;
  readonly logit: Float64Array;
  /** The row's largest logit − the entry's. */
  readonly deficit: Float64Array;
  /** 0 of an entry that no longer counts. */
  readonly weight: Float64Array;
  /** The first token's entry; −1 where the row does not see it. */
  first = -1;
  /** How many others are ahead of `first`. */
  firstRank = 0;
  /** How many others there are. */
  othersCount = 0;
  /** The others by falling p; a tie goes to the earlier entry. */
  readonly others: Int32Array;
  /** Weight of the others before each rank, `[capacity + 1]`. */
  readonly held: Float64Array;
  readonly #order: FallingOrder;

  constructor(capacity: number) {
    this.key = new Int32Array(capacity);
    this.logit = new Float64Array(capacity);
    this.deficit = new Float64Array(capacity);
    this.weight = new Float64Array(capacity);
    this.held = new Float64Array(capacity + 1);
    this.#order = new FallingOrder(capacity);
    this.others = this.#order.entries;
  }

  /** Orders the entries of a weighed row by falling p, with `first` apart. */
  rank(first = -1): void {
    this.#order.sort(this.deficit, this.length);
    this.first = first;
    this.firstRank = this.length;
    this.othersCount = this.length;
    if (first !== -1) {
      this.firstRank = this.others.indexOf(first);
      this.othersCount -= 1;
      this.others.copyWithin(this.firstRank, this.firstRank + 1, this.length);
    }
    this.addUp();
  }

  /** Adds up the weights of the others, rank by rank. */
  addUp(): void {
    const { held, others, weight } = this;
    let sum = 0;
    held[0] = 0;
    for (let rank = 0; rank < this.othersCount; rank += 1) {
      sum += weight[others[rank]!]!;
      held[rank + 1] = sum;
    }
  }

  /** The entry of a rank by falling p, the first token's among them. */
  entryAt(rank: number): number {
    if (rank === this.firstRank) return this.first;
    return this.others[rank < this.firstRank ? rank : rank - 1]!;
  }

  /** The weight of the first `count` entries by falling p, the first token's among them. */
  heldBy(count: number): number {
    return count <= this.firstRank ? this.held[count]! : this.held[count - 1]! + this.weight[this.first]!;
  }
}

/**
 * Fills `row` with what `query` sees and weighs it: weight e^(logit − largest), so that the largest weighs 1. The total
 * is NaN where the logits have no softmax: one is NaN or ∞, or all are −∞.
 */
export function weighRow(rows: HeadRows, query: number, row: RankedRow): void {
  rows.fill(query, row);
  row.count = row.length;
  row.firstKey = 0;
  row.total = 0;
  let largest = -Infinity;
  for (let entry = 0; entry < row.length; entry += 1) largest = Math.max(largest, row.logit[entry]!);
  for (let entry = 0; entry < row.length; entry += 1) {
    const deficit = largest - row.logit[entry]!;
    const weight = Math.exp(-deficit);
    row.deficit[entry] = deficit;
    row.weight[entry] = weight;
    row.total += weight;
  }
}
