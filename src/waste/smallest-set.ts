import type { HeadFrame } from './head-frame.ts';
import type { RankedRow } from './ranked-row.ts';

/** A sum this close below its target has reached it: ten equal keys of .1 hold .9 in nine, whatever the rounding. */
const roundingSlack = 1e-12;

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
  readonly #bucket: Uint16Array;
  /** Contributions and weights by bucket. */
  readonly #contributions = new Float64Array(bucketCount);
  readonly #weights = new Float64Array(bucketCount);
  /** The first bucket's leading bits. */
  #highest = 0;
  /** What the others contribute. */
  #total = 0;

  constructor(capacity: number) {
    this.#contribution = new Float64Array(capacity);
    this.#words = new Uint32Array(this.#contribution.buffer);
    this.#bucket = new Uint16Array(capacity);
  }

  /**
   * Deals the others of a ranked row to buckets by the size of what they contribute, the largest to the first: they are the same with the first
   * token and without it.
   */
  deal(row: RankedRow, frame: HeadFrame): void {
    const contribution = this.#contribution;
    this.#highest = 0;
    this.#total = 0;
    for (let entry = 0; entry < row.length; entry += 1) {
      contribution[entry] = row.weight[entry]! * frame.norm[row.key[entry]!]!;
      this.#highest = Math.max(this.#highest, this.#leadingBits(entry));
    }
    this.#contributions.fill(0);
    this.#weights.fill(0);
    for (let entry = 0; entry < row.length; entry += 1) if (entry !== row.first) this.#total += this.#add(entry, row.weight[entry]!);
  }

  /**
   * Mass outside the smallest set that holds 95 % of Σ p_ij·‖v_j‖ (Kobayashi et al., EMNLP 2020). Of equal contributions
   * the earlier entry is held. Where all values seen are 0 the set is empty, so all the mass is wasted. Only the bucket in which
   * the set ends is sorted.
   */
  of(row: RankedRow, frame: HeadFrame): number {
    const { first } = row;
    if (first === -1) return this.#outside(row, this.#total);
    const weight = row.weight[first]!;
    this.#contribution[first] = weight * frame.norm[row.key[first]!]!;
    const own = this.#bucketOf(first);
    const [contributions, weights] = [this.#contributions[own]!, this.#weights[own]!];
    const wasted = this.#outside(row, this.#total + this.#add(first, weight));
    this.#contributions[own] = contributions;
    this.#weights[own] = weights;
    return wasted;
  }

  #outside(row: RankedRow, total: number): number {
    const target = 0.95 * (1 - roundingSlack) * total;
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

  /** Adds an entry to its bucket; returns what it contributes. */
  #add(entry: number, weight: number): number {
    const contribution = this.#contribution[entry]!;
    const bucket = this.#bucketOf(entry);
    this.#bucket[entry] = bucket;
    this.#contributions[bucket]! += contribution;
    this.#weights[bucket]! += weight;
    return contribution;
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
    for (let entry = 0; entry < length; entry += 1) if (this.#bucket[entry] === bucket) found.push(entry);
    return found.sort((a, b) => this.#contribution[b]! - this.#contribution[a]! || a - b);
  }
}
