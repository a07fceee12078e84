import type { HeadFrame } from './head-frame.ts';
import type { RankedRow } from './ranked-row.ts';

/** A sum this close below its target has reached it: ten equal keys of .1 hold .9 in nine, whatever the rounding. */
export const roundingSlack = 1e-12;

/** |S_i(p)|: how many entries, in falling order of p, hold `share` of the row's mass (top-p; Twilight 2025, §3). */
export function countHolding(row: RankedRow, share: number): number {
  const target = share * row.total * (1 - roundingSlack);
  let [low, high] = [0, row.count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (row.heldBy(middle) < target) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where a double's sign, its exponent and the first of its other bits lie on this machine. */
const highWord = new Uint32Array(new Float64Array([1]).buffer)[0] === 0 ? 1 : 0;
/** Of those bits, the ones that are left out: 16 buckets for each halving. */
const bucketShift = 16;
/** 64 halvings: what is smaller shares the last bucket. */
const bucketCount = 16 * 64;

/** Sums, row after row, the mass of the keys that contribute little. */
export class WastedMass {
  /** p·‖v‖ of each entry, times the row's total. */
  readonly #contribution: Float64Array;
  readonly #words: Uint32Array;
  /** Contributions and weights by bucket. */
  readonly #contributions = new Float64Array(bucketCount);
  readonly #weights = new Float64Array(bucketCount);
  /** The first bucket's leading bits. */
  #highest = 0;

  constructor(capacity: number) {
    this.#contribution = new Float64Array(capacity);
    this.#words = new Uint32Array(this.#contribution.buffer);
  }

  /**
   * Mass outside the smallest set that holds 95 % of Σ p_ij·‖v_j‖ (Kobayashi et al., EMNLP 2020). Of equal contributions
   * the earlier entry is held. Where all values seen are 0 the set is empty, so all the mass is wasted. Only the bucket in which
   * the set ends is sorted.
   */
  of(row: RankedRow, frame: HeadFrame): number {
    const target = 0.95 * (1 - roundingSlack) * this.#deal(row, frame);
    let held = 0;
    let last = 0;
    for (; last < bucketCount - 1 && held + this.#contributions[last]! < target; last += 1) held += this.#contributions[last]!;
    let wasted = 0;
    for (let bucket = last + 1; bucket < bucketCount; bucket += 1) wasted += this.#weights[bucket]!;
    for (const entry of this.#falling(last, row.length)) {
      if (held < target) held += this.#contribution[entry]!;
      else wasted += row.weight[entry]!;
    }
    return wasted / row.total;
  }

  /** Deals the entries to buckets by the size of what they contribute, the largest to the first; returns the sum of all. */
  #deal(row: RankedRow, frame: HeadFrame): number {
    const contribution = this.#contribution;
    this.#highest = 0;
    let total = 0;
    for (let entry = 0; entry < row.length; entry += 1) {
      contribution[entry] = row.weight[entry]! * frame.norm[row.key[entry]!]!;
      total += contribution[entry]!;
      this.#highest = Math.max(this.#highest, this.#leadingBits(entry));
    }
    this.#contributions.fill(0);
    this.#weights.fill(0);
    for (let entry = 0; entry < row.length; entry += 1) {
      const bucket = this.#bucketOf(entry);
      this.#contributions[bucket] = this.#contributions[bucket]! + contribution[entry]!;
      this.#weights[bucket] = this.#weights[bucket]! + row.weight[entry]!;
    }
    return total;
  }

  #leadingBits(entry: number): number {
    return this.#words[2 * entry + highWord]! >>> bucketShift;
  }

  #bucketOf(entry: number): number {
    return Math.min(bucketCount - 1, this.#highest - this.#leadingBits(entry));
  }

  /** The entries of one bucket, the largest contribution first. */
  #falling(bucket: number, length: number): number[] {
    const found: number[] = [];
    for (let entry = 0; entry < length; entry += 1) if (this.#bucketOf(entry) === bucket) found.push(entry);
    return found.sort((a, b) => this.#contribution[b]! - this.#contribution[a]! || a - b);
  }
}
