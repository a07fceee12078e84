import type { HeadFrame } from './head-frame.ts';
import type { RankedRow } from './ranked-row.ts';

/** A sum this close below its target has reached it: ten equal keys of .1 hold .9 in nine, whatever the rounding. */
export const roundingSlack = 1e-12;

/** |S_i(p)|: how many entries, in falling order of p, hold `share` of the row's mass (top-p; Twilight 2025, §3). */
export function countHolding(row: RankedRow, share: number): number {
  const target = share * row.total * (1 - roundingSlack);
  let held = 0;
  let rank = 0;
  for (; rank < row.count && held < target; rank += 1) held += row.weight[row.byMass.entries[rank]!]!;
  return rank;
}

/**
 * Mass outside the smallest set that holds 95 % of Σ p_ij·‖v_j‖ (Kobayashi et al., EMNLP 2020). Of equal contributions
 * the earlier entry is held. Where all values seen are 0 the set is empty, so all the mass is wasted.
 */
export function wastedMass(row: RankedRow, frame: HeadFrame): number {
  const { entries } = row.byContribution;
  let target = 0;
  for (let rank = 0; rank < row.count; rank += 1) {
    const entry = entries[rank]!;
    target += row.weight[entry]! * frame.norm[row.key[entry]!]!;
  }
  target *= 0.95 * (1 - roundingSlack);
  let held = 0;
  let wasted = 0;
  for (let rank = 0; rank < row.count; rank += 1) {
    const entry = entries[rank]!;
    if (held < target) held += row.weight[entry]! * frame.norm[row.key[entry]!]!;
    else wasted += row.weight[entry]!;
  }
  return wasted / row.total;
}
