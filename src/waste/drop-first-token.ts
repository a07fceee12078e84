import type { HeadFrame } from './head-frame.ts';
import { unpaddedWithin } from './head-frame.ts';
import type { RankedRow } from './ranked-row.ts';

/** The entry that is key 0, or else the pooled block that holds it; −1 where the row does not see it. */
function entryOfFirstToken(row: RankedRow, frame: HeadFrame): number {
  let pooled = -1;
  for (let entry = 0; entry < row.length; entry += 1) {
    const slot = row.key[entry]!;
    if (slot === 0) return entry;
    if (slot >= frame.keys && frame.pools[slot - frame.keys]!.start === 0) pooled = entry;
  }
  return unpaddedWithin(frame, 0, 1) === 1 ? pooled : -1;
}

/** Takes `entry` out of the first `count` of `entries`; returns the rank that it had. */
function removeEntry(entries: Int32Array, count: number, entry: number): number {
  const rank = entries.indexOf(entry);
  entries.copyWithin(rank, rank + 1, count);
  return rank;
}

/** Moves `entry` down the order to where its grown deficit belongs; a tie goes to the earlier entry. */
function sinkEntry(entries: Int32Array, row: { count: number; deficit: Float64Array }, entry: number): void {
  const { count, deficit } = row;
  let rank = removeEntry(entries, count, entry);
  for (; rank < count - 1; rank += 1) {
    const next = entries[rank]!;
    const ahead = deficit[next]! - deficit[entry]!;
    if (ahead > 0 || (ahead === 0 && next > entry)) break;
  }
  entries.copyWithin(rank + 1, rank, count - 1);
  entries[rank] = entry;
}

/** Weighs the remaining entries against the largest of them: beside a strong sink their weights may have underflowed. */
function reweigh(row: RankedRow): void {
  const { deficit, weight } = row;
  const smallest = row.count === 0 ? 0 : deficit[row.byMass.entries[0]!]!;
  row.total = 0;
  for (let rank = 0; rank < row.count; rank += 1) {
    const entry = row.byMass.entries[rank]!;
    weight[entry] = Math.exp(smallest - deficit[entry]!);
    row.total += weight[entry]!;
  }
}

/**
 * Drops key 0 from a ranked row and renormalises the rest. A pooled block that holds it loses the token's equal share of
 * its mass and keeps its mean value; it stays one key of the row while it has another token. Returns whether the row saw key 0.
 */
export function dropFirstToken(row: RankedRow, frame: HeadFrame): boolean {
  const entry = entryOfFirstToken(row, frame);
  if (entry === -1) return false;
  row.firstKey = 1;
  const slot = row.key[entry]!;
  const tokens = slot < frame.keys ? 1 : frame.pools[slot - frame.keys]!.tokens;
  if (tokens === 1) {
    removeEntry(row.byMass.entries, row.count, entry);
    removeEntry(row.byContribution.entries, row.count, entry);
    row.count -= 1;
  } else {
    const loss = Math.log(tokens / (tokens - 1));
    row.deficit[entry] = row.deficit[entry]! + loss;
    row.contributionDeficit[entry] = row.contributionDeficit[entry]! + loss;
    sinkEntry(row.byMass.entries, { count: row.count, deficit: row.deficit }, entry);
    sinkEntry(row.byContribution.entries, { count: row.count, deficit: row.contributionDeficit }, entry);
  }
  reweigh(row);
  return true;
}
