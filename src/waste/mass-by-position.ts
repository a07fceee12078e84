import type { HeadFrame } from './head-frame.ts';
import { shareWithin, unpaddedWithin } from './head-frame.ts';
import type { RankedRow } from './ranked-row.ts';

/** «Local» is at most this many positions away, on either side. */
export const localDistance = 64;

/** Mass of a row on positions [start, end); a pooled block's tokens share its mass equally. */
export function massWithin(row: RankedRow, frame: HeadFrame, start: number, end: number): number {
  let mass = 0;
  for (let entry = 0; entry < row.length; entry += 1) {
    const share = shareWithin(frame, row.key[entry]!, start, end);
    if (share > 0) mass += share * row.weight[entry]!;
  }
  return mass / row.total;
}

/** Mass within {@link localDistance} positions of the query's own. */
export function localMass(row: RankedRow, frame: HeadFrame, position: number): number {
  return massWithin(row, frame, position - localDistance, position + localDistance + 1);
}

/** Tells relevant keys from others, row after row, in one buffer. */
export class RelevantKeys {
  readonly #relevant: Uint8Array;

  constructor(keys: number) {
    this.#relevant = new Uint8Array(keys);
  }

  /** Σ_{j∉R} p_j; a pooled block's tokens share its mass equally. */
  wasteOf(row: RankedRow, frame: HeadFrame, relevant: ArrayLike<number>): number {
    for (let index = 0; index < relevant.length; index += 1) this.#relevant[relevant[index]!] = 1;
    let wasted = 0;
    for (let entry = 0; entry < row.length; entry += 1) {
      wasted += row.weight[entry]! * (1 - this.#relevantShare(frame, row.key[entry]!, row.firstKey));
    }
    for (let index = 0; index < relevant.length; index += 1) this.#relevant[relevant[index]!] = 0;
    return wasted / row.total;
  }

  /** The share of a slot's mass that falls on relevant keys; keys before `firstKey` have none. */
  #relevantShare(frame: HeadFrame, slot: number, firstKey: number): number {
    if (slot < frame.keys) return this.#relevant[slot]!;
    const pool = frame.pools[slot - frame.keys]!;
    const start = Math.max(pool.start, firstKey);
    let relevant = 0;
    for (let j = start; j < pool.end; j += 1) {
      if (this.#relevant[j] === 1) relevant += unpaddedWithin(frame, j, j + 1);
    }
    return relevant / unpaddedWithin(frame, start, pool.end);
  }
}
