import type { HeadRows, Row } from '../contract/variant.ts';
import { Arena, bytesInArena } from '../lanes/lanes.ts';
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
  /** Where the arrays of entries are. */
  readonly arena: Arena;
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

  /** @param more bytes of the arena that are left to others */
  constructor(capacity: number, more = 0) {
    this.arena = new Arena(FallingOrder.bytesInArena(capacity) + bytesInArena(4 * capacity) + 3 * bytesInArena(8 * capacity) + more);
    this.key = this.arena.int32(capacity);
    this.logit = this.arena.float64(capacity);
    this.deficit = this.arena.float64(capacity);
    this.weight = this.arena.float64(capacity);
    this.held = new Float64Array(capacity + 1);
    this.#order = new FallingOrder(capacity, this.arena);
    this.others = this.#order.entries;
  }

  /** Weighs the entries by e^(logit − largest): a figure of {@link Math.exp} to the last bit or the one before. */
  weigh(largest: number): void {
    const { lanes } = this.arena;
    this.total = lanes.weigh(this.logit.byteOffset, this.length, largest, this.deficit.byteOffset, this.weight.byteOffset);
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
  let largest = -Infinity;
  for (let entry = 0; entry < row.length; entry += 1) largest = Math.max(largest, row.logit[entry]!);
  row.weigh(largest);
}
