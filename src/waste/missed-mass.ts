import type { HeadFrame } from './head-frame.ts';
import type { RankedRow } from './ranked-row.ts';

const unseen = 0;
const pooled = 1;
const exact = 2;

/** Compares what a variant's row sees with where dense attention's mass lies, row after row, in one buffer. */
export class MissedMass {
  /** Dense attention's mass on keys that the row measured last sees in no form. */
  missed = 0;
  /** Dense attention's mass on keys that it sees only inside a pooled block. */
  pooled = 0;
  readonly #seen: Uint8Array;

  constructor(keys: number) {
    this.#seen = new Uint8Array(keys);
  }

  /** `denseRow` must see something: its total is above 0. */
  measure(row: RankedRow, frame: HeadFrame, denseRow: RankedRow): void {
    this.#see(row, frame);
    this.missed = 0;
    this.pooled = 0;
    for (let entry = 0; entry < denseRow.length; entry += 1) {
      const form = this.#seen[denseRow.key[entry]!];
      if (form === unseen) this.missed += denseRow.weight[entry]! / denseRow.total;
      if (form === pooled) this.pooled += denseRow.weight[entry]! / denseRow.total;
    }
  }

  /** Whether the row measured last sees a key, if only inside a pooled block. */
  sees(key: number): boolean {
    return this.#seen[key] !== unseen;
  }

  #see(row: RankedRow, frame: HeadFrame): void {
    const seen = this.#seen;
    seen.fill(unseen);
    for (let entry = 0; entry < row.length; entry += 1) {
      const pool = frame.pools[row.key[entry]! - frame.keys];
      if (pool !== undefined) seen.fill(pooled, pool.start, pool.end);
    }
    for (let entry = 0; entry < row.length; entry += 1) {
      if (row.key[entry]! < frame.keys) seen[row.key[entry]!] = exact;
    }
  }
}
