import { normalQuantile } from '../statistics/normal.ts';
import type { Interval } from '../statistics/resample.ts';
import type { HeadFrame } from './head-frame.ts';
import type { RankedRow } from './ranked-row.ts';

/** A sink's mean mass is above this (Gu et al., ICLR 2025, §3). */
const sinkMass = 0.3;
/** Positions before this one are left out of the means, and sinks among the last ones are not looked for. */
const margin = 64;
/** With sampled rows, a key's mean over fewer rows than this says nothing. */
const leastSampledRows = 16;

/** Whether the sequence is long enough for a sink to be told from its neighbours. */
export function admitsSinks(keys: number): boolean {
  return keys >= 2 * margin;
}

/** Sums the mass that a head's rows lay on every key. Where the rows are sampled, the means are estimates. */
export class SinkSearch {
  /** Σ p_ij over rows at positions ≥ max(j, 64), `[keys]`. */
  readonly #mass: Float64Array;
  /** Weight of the rows at each position, and how many there are, `[keys]`. */
  readonly #weight: Float64Array;
  readonly #rows: Int32Array;

  constructor(keys: number) {
    this.#mass = new Float64Array(keys);
    this.#weight = new Float64Array(keys);
    this.#rows = new Int32Array(keys);
  }

  startHead(): void {
    this.#mass.fill(0);
    this.#weight.fill(0);
    this.#rows.fill(0);
  }

  /** Adds a row that sees something and stands for `weight` rows. */
  add(row: RankedRow, frame: HeadFrame, at: { position: number; weight: number }): void {
    if (at.position < margin) return;
    this.#weight[at.position] = this.#weight[at.position]! + at.weight;
    this.#rows[at.position] = this.#rows[at.position]! + 1;
    const last = Math.min(at.position, frame.keys - margin);
    for (let entry = 0; entry < row.length; entry += 1) {
      const slot = row.key[entry]!;
      const mass = (at.weight * row.weight[entry]!) / row.total;
      if (slot >= frame.keys) this.#addPool(frame, slot, { mass, last });
      else if (slot <= last) this.#mass[slot] = this.#mass[slot]! + mass;
    }
  }

  #addPool(frame: HeadFrame, slot: number, share: { mass: number; last: number }): void {
    const pool = frame.pools[slot - frame.keys]!;
    for (let j = pool.start; j < pool.end && j <= share.last; j += 1) {
      const unpadded = frame.unpaddedBefore[j + 1]! - frame.unpaddedBefore[j]!;
      this.#mass[j] = this.#mass[j]! + (unpadded * share.mass) / pool.tokens;
    }
  }

  /** Whether the head has a sink; undefined where no key has rows enough to tell. */
  hasSink(sampled: 'all' | 'sampled'): boolean | undefined {
    const least = sampled === 'all' ? 1 : leastSampledRows;
    let weight = 0;
    let rows = 0;
    let answer: boolean | undefined;
    // Downwards, so that the rows at positions ≥ j add up; none is below position 64, so those of j < 64 are the same.
    for (let j = this.#mass.length - 1; j >= 0; j -= 1) {
      weight += this.#weight[j]!;
      rows += this.#rows[j]!;
      // The last 63 keys were given no mass.
      if (rows >= least) answer = answer === true || this.#mass[j]! > sinkMass * weight;
    }
    return answer;
  }
}

/** Wilson's 95 % interval of a share of heads (JASA 22, 1927). */
export function wilsonInterval(hits: number, trials: number): Interval {
  const z = normalQuantile(0.975);
  const share = hits / trials;
  const centre = (share + (z * z) / (2 * trials)) / (1 + (z * z) / trials);
  const half = (z / (1 + (z * z) / trials)) * Math.sqrt((share * (1 - share)) / trials + (z * z) / (4 * trials * trials));
  return { low: Math.min(share, Math.max(0, centre - half)), high: Math.max(share, Math.min(1, centre + half)) };
}
