import type { HeadFrame } from './head-frame.ts';
import { unpaddedWithin } from './head-frame.ts';
import type { RankedRow } from './ranked-row.ts';

/** The entry that is key 0, or else the pooled block that holds it; −1 where the row does not see it. */
export function entryOfFirstToken(row: RankedRow, frame: HeadFrame): number {
  let pooled = -1;
  for (let entry = 0; entry < row.length; entry += 1) {
    const slot = row.key[entry]!;
    if (slot === 0) return entry;
    if (slot >= frame.keys && frame.pools[slot - frame.keys]!.start === 0) pooled = entry;
  }
  return unpaddedWithin(frame, 0, 1) === 1 ? pooled : -1;
}

/** The others are weighed anew beside a first token larger than they by this: their weights may have underflowed. */
const faintDeficit = 300;

/**
 * Drops key 0 from a ranked row, and with it its weight from the total. A pooled block that holds it loses the token's equal share of
 * its mass and keeps its mean value; it stays one key of the row while it has another token.
 * @returns whether the others were weighed anew, so that sums of their weights no longer hold
 */
export function dropFirstToken(row: RankedRow, frame: HeadFrame): boolean {
  const { first, others, deficit } = row;
  row.firstKey = 1;
  const slot = row.key[first]!;
  const tokens = slot < frame.keys ? 1 : frame.pools[slot - frame.keys]!.tokens;
  deficit[first] = deficit[first]! + Math.log(tokens / (tokens - 1));
  if (tokens === 1) {
    row.count -= 1;
    row.firstRank = row.othersCount;
  } else {
    while (row.firstRank < row.othersCount && isAhead(row, others[row.firstRank]!)) row.firstRank += 1;
  }
  const smallest = Math.min(deficit[first]!, row.othersCount === 0 ? Infinity : deficit[others[0]!]!);
  const faint = row.count > 0 && smallest > faintDeficit;
  const reference = faint ? smallest : 0;
  row.weight[first] = Math.exp(reference - deficit[first]!);
  if (faint) {
    for (let rank = 0; rank < row.othersCount; rank += 1) row.weight[others[rank]!] = Math.exp(reference - deficit[others[rank]!]!);
    row.addUp();
  }
  row.total = row.held[row.othersCount]! + row.weight[first]!;
  return faint;
}

/** Whether `other` comes before the first token's entry; a tie goes to the earlier entry. */
function isAhead({ deficit, first }: RankedRow, other: number): boolean {
  const behind = deficit[first]! - deficit[other]!;
  return behind > 0 || (behind === 0 && other < first);
}
