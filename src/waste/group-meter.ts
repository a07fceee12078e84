import { z } from 'zod';
import { keyGroupSchema, mostKeyGroups } from '../contract/key-groups.ts';
import type { KeyGroup } from '../contract/key-groups.ts';
import { byMassShare, massShareNames, massShares } from './columns.ts';
import type { MassShare } from './columns.ts';
import type { HeadFrame } from './head-frame.ts';
import { shareWithin } from './head-frame.ts';
import type { RankedRow } from './ranked-row.ts';
import { ratioFigure, wasteFigureSchema } from './figure.ts';
import type { ResampledSums } from './figure.ts';
import { countHolding } from './smallest-set.ts';

/** Sums of all keys, then of each group. */
const ofAll = ['rows', 'weightedPairs'] as const;
const ofGroup = ['mass', 'groupPairs', 'wastedPairs.p90', 'wastedPairs.p95', 'wastedPairs.p99'] as const;

/** How many sums a row has for so many groups; none without groups. */
export function groupColumns(groups: readonly KeyGroup[] = []): number {
  return groups.length === 0 ? 0 : ofAll.length + ofGroup.length * groups.length;
}

const figure = wasteFigureSchema.nullable();
export const groupFiguresSchema = z
  .array(
    keyGroupSchema.extend({
      /** Of the row's attention. */
      mass: figure,
      /** Of the pairs that the row weighs: what even attention would lay on the group. */
      pairs: figure,
      /** Of the group's pairs, those beyond the smallest sets that hold 90, 95 and 99 % of the whole row's mass. */
      wastedCompute: z.strictObject({ p90: figure, p95: figure, p99: figure }),
    }),
  )
  .max(mostKeyGroups);
export type GroupFigures = z.infer<typeof groupFiguresSchema>;

/** Measures what each group of keys gets of one row after another; a pooled block's tokens share its mass, its pair and its waste equally. */
export class GroupMeter {
  readonly #groups: readonly KeyGroup[];
  /** Of each key its group; none: −1. */
  readonly #groupOf: Int16Array;
  readonly #sums: Float64Array;

  constructor(groups: readonly KeyGroup[], keys: number) {
    this.#groups = groups;
    this.#groupOf = new Int16Array(keys).fill(-1);
    for (const [index, { from, to }] of groups.entries()) this.#groupOf.fill(index, from, to);
    this.#sums = new Float64Array(groupColumns(groups));
  }

  /** The sums of a ranked row that sees something, `[groupColumns]`, valid until the next. */
  measure(row: RankedRow, frame: HeadFrame): Float64Array {
    this.#sums.fill(0);
    this.#sums[0] = 1;
    this.#sums[1] = row.length;
    const cuts = massShareNames.map((name) => cutOf(row, countHolding(row, massShares[name])));
    for (let entry = 0; entry < row.length; entry += 1) {
      const slot = row.key[entry]!;
      const [first, last] = slot < frame.keys ? [this.#groupOf[slot]!, this.#groupOf[slot]!] : [0, this.#groups.length - 1];
      for (let group = Math.max(0, first); group <= last; group += 1) {
        const { from, to } = this.#groups[group]!;
        this.#add(group, shareWithin(frame, slot, from, to), { row, entry, cuts });
      }
    }
    return this.#sums;
  }

  #add(group: number, share: number, { row, entry, cuts }: { row: RankedRow; entry: number; cuts: readonly Cut[] }): void {
    if (share === 0) return;
    const at = ofAll.length + ofGroup.length * group;
    const values = [row.weight[entry]! / row.total, 1, ...cuts.map((cut) => 1 - keptOf(cut, row.deficit[entry]!))];
    for (const [column, value] of values.entries()) this.#sums[at + column]! += share * value;
  }
}

/** Where the smallest set ends: entries of this deficit are in it with the same share, as no order among equals is given. */
interface Cut {
  readonly deficit: number;
  readonly share: number;
}

function cutOf(row: RankedRow, count: number): Cut {
  let deficit = 0;
  for (let rank = 0; rank < count; rank += 1) deficit = Math.max(deficit, row.deficit[row.entryAt(rank)]!);
  let [within, equal] = [0, 0];
  for (let entry = 0; entry < row.length; entry += 1) {
    if (row.deficit[entry]! < deficit) within += 1;
    else if (row.deficit[entry]! === deficit) equal += 1;
  }
  // Deficits that differ in their last bits alone are ranked as equals.
  return { deficit, share: Math.min(1, Math.max(0, (count - within) / equal)) };
}

function keptOf({ deficit, share }: Cut, own: number): number {
  return own < deficit ? 1 : own === deficit ? share : 0;
}

/** The figures of groups, from sums that begin at column `start`. */
export function groupFigures(groups: readonly KeyGroup[], from: ResampledSums, start: number): GroupFigures {
  const column = (at: number, name: string) => ({ at: start + at, name: name.replace(/\..*/, '') });
  const [rows, weightedPairs] = [column(0, ofAll[0]), column(1, ofAll[1])];
  return groups.map((group, index) => {
    const own = (name: (typeof ofGroup)[number]) => column(ofAll.length + ofGroup.length * index + ofGroup.indexOf(name), name);
    const wasted = (name: MassShare) => ratioFigure(from, own(`wastedPairs.${name}`), own('groupPairs'));
    return {
      ...group,
      mass: ratioFigure(from, own('mass'), rows),
      pairs: ratioFigure(from, own('groupPairs'), weightedPairs),
      wastedCompute: byMassShare(wasted),
    };
  });
}
