import type { ErrorBudget } from './columns.ts';
import { errorBudgetNames, errorBudgets } from './columns.ts';
import type { HeadFrame } from './head-frame.ts';
import { bytesInArena } from '../lanes/lanes.ts';
import type { RankedRow } from './ranked-row.ts';

/**
 * Entries whose sum is kept as one, as in assembly/rows.ts: with fewer of them more sums are written, with more of them more have to be taken
 * apart.
 */
const blockSize = 16;
/** Vectors are as wide as a multiple of this, with zeros behind headDim. */
const widthUnit = 8;

function widthOf(headDim: number): number {
  return Math.ceil(headDim / widthUnit) * widthUnit;
}

/** Some of a row's others, and the ranks that they have in the row. */
interface Block {
  readonly index: number;
  readonly from: number;
  readonly to: number;
}

/** A block with the distances from o_i, times the weight held, at its ends. */
interface Approach {
  readonly block: Block;
  /** How many errors a prefix was found for. */
  readonly budget: number;
  readonly before: number;
  readonly after: number;
  /** How far its keys can move. */
  readonly reach: number;
}

/** Finds how few keys give a row's output within an error. */
export class ErrorPrefix {
  /** Length of the first prefix within each error, of the row measured last. */
  readonly length: Record<ErrorBudget, number> = { e01: 0, e05: 0 };
  readonly #row: RankedRow;
  readonly #width: number;
  /** v of each slot, `[keys + pools, width]`. */
  readonly #values: Float64Array;
  /** Σ w·v of the others before each block, `[blocks + 1, width]`. */
  readonly #sums: Float64Array;
  /** Σ w·‖v‖ of the same, `[blocks + 1]`. */
  readonly #norms: Float64Array;
  /** w·v of the first token's entry, `[width]`. */
  readonly #first: Float64Array;
  /** o_i, `[width]`. */
  readonly #output: Float64Array;
  #outputNorm = 0;
  /** Σ_{e in the prefix} w_e·v_e, `[width]`. */
  readonly #sum: Float64Array;

  /** Bytes that it takes of its row's arena. */
  static bytesInArena(capacity: number, headDim: number): number {
    const width = 8 * widthOf(headDim);
    return bytesInArena(capacity * width) + bytesInArena((Math.ceil(capacity / blockSize) + 1) * width) + 3 * bytesInArena(width);
  }

  /** For `row`, whenever it is ranked anew. */
  constructor(row: RankedRow, headDim: number) {
    const capacity = row.key.length;
    const blocks = Math.ceil(capacity / blockSize);
    const { arena } = row;
    this.#row = row;
    this.#width = widthOf(headDim);
    this.#values = arena.float64(capacity * this.#width);
    this.#sums = arena.float64((blocks + 1) * this.#width);
    this.#norms = new Float64Array(blocks + 1);
    this.#first = arena.float64(this.#width);
    this.#output = arena.float64(this.#width);
    this.#sum = arena.float64(this.#width);
  }

  /** Takes over the values of a head, before any of its rows. */
  startHead({ keys, headDim, value, pools }: HeadFrame): void {
    const width = this.#width;
    if (width === headDim) this.#values.set(value);
    else for (let key = 0; key < keys; key += 1) this.#values.set(value.subarray(key * headDim, (key + 1) * headDim), key * width);
    for (const [index, pool] of pools.entries()) this.#values.set(pool.value, (keys + index) * width);
  }

  /** Adds up what the others of the ranked row attend to: it is the same with the first token and without it. */
  attend(frame: HeadFrame): void {
    const { others, othersCount, key, weight, arena } = this.#row;
    arena.lanes.attend(
      others.byteOffset,
      othersCount,
      key.byteOffset,
      weight.byteOffset,
      this.#values.byteOffset,
      this.#width,
      this.#sums.byteOffset,
    );
    let norms = 0;
    for (let rank = 0; rank < othersCount; rank += 1) {
      const entry = others[rank]!;
      norms += weight[entry]! * frame.norm[key[entry]!]!;
      this.#norms[((rank / blockSize) | 0) + 1] = norms;
    }
  }

  /**
   * The first prefix, in falling order of p, whose renormalised output differs from o_i by less than e·‖o_i‖; the whole
   * set where o_i = 0. A key moves Σ w·(v − o) by at most w·(‖v‖ + ‖o‖): a block whose keys cannot come below the bound on the way
   * from one end to the other is passed over.
   */
  measure(frame: HeadFrame): void {
    const row = this.#row;
    this.#findOutput();
    for (const name of errorBudgetNames) this.length[name] = row.count;
    let budget = 0;
    let before = 0;
    const blocks = Math.max(1, Math.ceil(row.othersCount / blockSize));
    for (let index = 0; index < blocks; index += 1) {
      const block = blockAt(row, index);
      const after = this.#residualAt(index + 1, block.to);
      const reach = this.#reach(frame, block);
      const nearest = (before + after - reach) / 2;
      if (!(nearest >= this.#bound(budget, block.to))) budget = this.#scan(frame, { block, budget, before, after, reach });
      if (budget === errorBudgetNames.length) return;
      before = after;
    }
  }

  /** Looks at one block key by key; returns how many errors a prefix was found for. */
  #scan(frame: HeadFrame, at: Approach): number {
    const row = this.#row;
    const { from, to, index } = at.block;
    const sum = this.#sum;
    for (let m = 0; m < sum.length; m += 1) {
      sum[m] = this.#sums[index * sum.length + m]! + (row.firstRank < from ? this.#first[m]! : 0);
    }
    let { budget } = at;
    let nearest = this.#bound(budget, to);
    let distance = at.before - nearest;
    let left = at.reach;
    let added = from;
    for (let rank = from; rank < to; rank += 1) {
      const entry = row.entryAt(rank);
      const step = row.weight[entry]! * (frame.norm[row.key[entry]!]! + this.#outputNorm);
      distance -= step;
      left -= step;
      if (distance > 0 || at.after - left > nearest) continue;
      for (; added <= rank; added += 1) this.#addEntry(sum, row.entryAt(added));
      const residual = this.#residual(sum.byteOffset, row.heldBy(rank + 1), 0);
      while (residual < this.#bound(budget, rank + 1)) {
        this.length[errorBudgetNames[budget]!] = rank + 1;
        budget += 1;
        if (budget === errorBudgetNames.length) return budget;
      }
      nearest = this.#bound(budget, to);
      distance = residual - nearest;
    }
    return budget;
  }

  /** Computes o_i, ‖o_i‖, and what the first token's entry adds. */
  #findOutput(): void {
    const row = this.#row;
    const output = this.#output;
    this.#first.fill(0);
    if (row.firstRank < row.count) this.#addEntry(this.#first, row.first);
    const all = Math.ceil(row.othersCount / blockSize) * output.length;
    let square = 0;
    for (let m = 0; m < output.length; m += 1) {
      output[m] = (this.#sums[all + m]! + this.#first[m]!) / row.total;
      square += output[m]! ** 2;
    }
    this.#outputNorm = Math.sqrt(square);
  }

  /** e·‖o_i‖ times the weight of the first `count` entries. */
  #bound(budget: number, count: number): number {
    return errorBudgets[errorBudgetNames[budget]!] * this.#outputNorm * this.#row.heldBy(count);
  }

  /** How far the keys of a block can move Σ w·(v − o). */
  #reach(frame: HeadFrame, { index, from, to }: Block): number {
    const row = this.#row;
    const own = row.firstRank >= from && row.firstRank < to ? row.weight[row.first]! * frame.norm[row.key[row.first]!]! : 0;
    return this.#norms[index + 1]! - this.#norms[index]! + own + this.#outputNorm * (row.heldBy(to) - row.heldBy(from));
  }

  /** ‖Σ w·(v − o)‖ of the others before a block, and of the first token's entry if it is among the first `count` entries. */
  #residualAt(block: number, count: number): number {
    const row = this.#row;
    return this.#residual(this.#sums.byteOffset + 8 * block * this.#width, row.heldBy(count), row.firstRank < count ? 1 : 0);
  }

  /** ‖sum + share·first − held·o_i‖, of the sum that starts at `at`. */
  #residual(at: number, held: number, share: 0 | 1): number {
    const { lanes } = this.#row.arena;
    return Math.sqrt(lanes.residual(at, this.#first.byteOffset, share, held, this.#output.byteOffset, this.#width));
  }

  #addEntry(target: Float64Array, entry: number): void {
    const weight = this.#row.weight[entry]!;
    const start = this.#row.key[entry]! * this.#width;
    for (let m = 0; m < target.length; m += 1) target[m] = target[m]! + weight * this.#values[start + m]!;
  }
}

/** The ranks of a block's entries, with those of the first token's entry where it comes between them or, in the last, behind them. */
function blockAt(row: RankedRow, index: number): Block {
  const from = index * blockSize;
  const to = Math.min(from + blockSize, row.othersCount);
  const isLast = to === row.othersCount;
  return { index, from: from + (row.firstRank < from ? 1 : 0), to: isLast ? row.count : to + (row.firstRank < to ? 1 : 0) };
}
