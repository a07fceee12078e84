import type { ErrorBudget } from './columns.ts';
import { errorBudgetNames, errorBudgets } from './columns.ts';
import type { HeadFrame } from './head-frame.ts';
import type { RankedRow } from './ranked-row.ts';

/** Entries whose sum is kept as one: with fewer of them more sums are written, with more of them more have to be taken apart. */
const blockSize = 16;

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

/** Finds, row by row, how few keys give the row's output within an error; its buffers are reused. */
export class ErrorPrefix {
  /** Length of the first prefix within each error, of the row measured last. */
  readonly length: Record<ErrorBudget, number> = { e01: 0, e05: 0 };
  /** Σ w·v of the others before each block, `[blocks + 1, headDim]`. */
  readonly #sums: Float64Array;
  /** Σ w·‖v‖ of the same, `[blocks + 1]`. */
  readonly #norms: Float64Array;
  /** w·v of the first token's entry, `[headDim]`. */
  readonly #first: Float64Array;
  /** o_i, `[headDim]`. */
  readonly #output: Float64Array;
  #outputNorm = 0;
  /** Σ_{e in the prefix} w_e·v_e, `[headDim]`. */
  readonly #sum: Float64Array;

  constructor(capacity: number, headDim: number) {
    const blocks = Math.ceil(capacity / blockSize);
    this.#sums = new Float64Array((blocks + 1) * headDim);
    this.#norms = new Float64Array(blocks + 1);
    this.#first = new Float64Array(headDim);
    this.#output = new Float64Array(headDim);
    this.#sum = new Float64Array(headDim);
  }

  /** Adds up what the others of a ranked row attend to: it is the same with the first token and without it. */
  attend(row: RankedRow, frame: HeadFrame): void {
    const sum = this.#sum.fill(0);
    let norms = 0;
    for (let block = 0; block * blockSize < row.othersCount; block += 1) {
      const to = Math.min((block + 1) * blockSize, row.othersCount);
      for (let rank = block * blockSize; rank < to; rank += 1) {
        const entry = row.others[rank]!;
        norms += row.weight[entry]! * frame.norm[row.key[entry]!]!;
      }
      addOthers(sum, row, frame, { from: block * blockSize, to });
      this.#sums.set(sum, (block + 1) * sum.length);
      this.#norms[block + 1] = norms;
    }
  }

  /**
   * The first prefix, in falling order of p, whose renormalised output differs from o_i by less than e·‖o_i‖; the whole
   * set where o_i = 0. A key moves Σ w·(v − o) by at most w·(‖v‖ + ‖o‖): a block whose keys cannot come below the bound on the way
   * from one end to the other is passed over.
   */
  measure(row: RankedRow, frame: HeadFrame): void {
    this.#findOutput(row, frame);
    for (const name of errorBudgetNames) this.length[name] = row.count;
    let budget = 0;
    let before = 0;
    const blocks = Math.max(1, Math.ceil(row.othersCount / blockSize));
    for (let index = 0; index < blocks; index += 1) {
      const block = blockAt(row, index);
      const after = this.#residualAt(row, index + 1, block.to);
      const reach = this.#reach(row, frame, block);
      const nearest = (before + after - reach) / 2;
      if (!(nearest >= this.#bound(row, budget, block.to))) budget = this.#scan(row, frame, { block, budget, before, after, reach });
      if (budget === errorBudgetNames.length) return;
      before = after;
    }
  }

  /** Looks at one block key by key; returns how many errors a prefix was found for. */
  #scan(row: RankedRow, frame: HeadFrame, at: Approach): number {
    const { from, to, index } = at.block;
    const sum = this.#sum;
    for (let m = 0; m < sum.length; m += 1) {
      sum[m] = this.#sums[index * sum.length + m]! + (row.firstRank < from ? this.#first[m]! : 0);
    }
    let { budget } = at;
    let nearest = this.#bound(row, budget, to);
    let distance = at.before - nearest;
    let left = at.reach;
    let added = from;
    for (let rank = from; rank < to; rank += 1) {
      const entry = row.entryAt(rank);
      const step = row.weight[entry]! * (frame.norm[row.key[entry]!]! + this.#outputNorm);
      distance -= step;
      left -= step;
      if (distance > 0 || at.after - left > nearest) continue;
      for (; added <= rank; added += 1) addEntry(sum, row, frame, row.entryAt(added));
      const residual = this.#residual(sum, 0, row.heldBy(rank + 1), 0);
      while (residual < this.#bound(row, budget, rank + 1)) {
        this.length[errorBudgetNames[budget]!] = rank + 1;
        budget += 1;
        if (budget === errorBudgetNames.length) return budget;
      }
      nearest = this.#bound(row, budget, to);
      distance = residual - nearest;
    }
    return budget;
  }

  /** Computes o_i, ‖o_i‖, and what the first token's entry adds. */
  #findOutput(row: RankedRow, frame: HeadFrame): void {
    const output = this.#output;
    this.#first.fill(0);
    if (row.firstRank < row.count) addEntry(this.#first, row, frame, row.first);
    const all = Math.ceil(row.othersCount / blockSize) * output.length;
    let square = 0;
    for (let m = 0; m < output.length; m += 1) {
      output[m] = (this.#sums[all + m]! + this.#first[m]!) / row.total;
      square += output[m]! ** 2;
    }
    this.#outputNorm = Math.sqrt(square);
  }

  /** e·‖o_i‖ times the weight of the first `count` entries. */
  #bound(row: RankedRow, budget: number, count: number): number {
    return errorBudgets[errorBudgetNames[budget]!] * this.#outputNorm * row.heldBy(count);
  }

  /** How far the keys of a block can move Σ w·(v − o). */
  #reach(row: RankedRow, frame: HeadFrame, { index, from, to }: Block): number {
    const own = row.firstRank >= from && row.firstRank < to ? row.weight[row.first]! * frame.norm[row.key[row.first]!]! : 0;
    return this.#norms[index + 1]! - this.#norms[index]! + own + this.#outputNorm * (row.heldBy(to) - row.heldBy(from));
  }

  /** ‖Σ w·(v − o)‖ of the others before a block, and of the first token's entry if it is among the first `count` entries. */
  #residualAt(row: RankedRow, block: number, count: number): number {
    return this.#residual(this.#sums, block * this.#sum.length, row.heldBy(count), row.firstRank < count ? 1 : 0);
  }

  /** ‖sum + share·first − held·o_i‖, of the sum that starts at `at`. */
  #residual(sums: Float64Array, at: number, held: number, share: 0 | 1): number {
    const first = this.#first;
    const output = this.#output;
    let [even, odd] = [0, 0];
    let m = 0;
    for (; m + 2 <= output.length; m += 2) {
      even += (sums[at + m]! + share * first[m]! - held * output[m]!) ** 2;
      odd += (sums[at + m + 1]! + share * first[m + 1]! - held * output[m + 1]!) ** 2;
    }
    if (m < output.length) even += (sums[at + m]! + share * first[m]! - held * output[m]!) ** 2;
    return Math.sqrt(even + odd);
  }
}

/** The ranks of a block's entries, with those of the first token's entry where it comes between them or, in the last, behind them. */
function blockAt(row: RankedRow, index: number): Block {
  const from = index * blockSize;
  const to = Math.min(from + blockSize, row.othersCount);
  const isLast = to === row.othersCount;
  return { index, from: from + (row.firstRank < from ? 1 : 0), to: isLast ? row.count : to + (row.firstRank < to ? 1 : 0) };
}

function addEntry(target: Float64Array, row: RankedRow, frame: HeadFrame, entry: number): void {
  const weight = row.weight[entry]!;
  const start = row.key[entry]! * frame.headDim;
  for (let m = 0; m < target.length; m += 1) target[m] = target[m]! + weight * frame.value[start + m]!;
}

/** Adds w·v of the others of ranks [from, to), four at a time: `target` is then read and written a quarter as often. */
function addOthers(target: Float64Array, row: RankedRow, frame: HeadFrame, ranks: { from: number; to: number }): void {
  let rank = ranks.from;
  for (; rank + 4 <= ranks.to; rank += 4) addFour(target, row, frame, rank);
  for (; rank < ranks.to; rank += 1) addEntry(target, row, frame, row.others[rank]!);
}

function addFour(target: Float64Array, { others, key, weight }: RankedRow, { headDim, value }: HeadFrame, rank: number): void {
  const a = others[rank]!;
  const b = others[rank + 1]!;
  const c = others[rank + 2]!;
  const d = others[rank + 3]!;
  const [wa, wb, wc, wd] = [weight[a]!, weight[b]!, weight[c]!, weight[d]!];
  const [va, vb, vc, vd] = [key[a]! * headDim, key[b]! * headDim, key[c]! * headDim, key[d]! * headDim];
  for (let m = 0; m < target.length; m += 1) {
    target[m] = target[m]! + wa * value[va + m]! + wb * value[vb + m]! + (wc * value[vc + m]! + wd * value[vd + m]!);
  }
}
