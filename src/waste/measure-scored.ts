import { z } from 'zod';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { KeyGroup } from '../contract/key-groups.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import { weighedRows } from '../variants/reference.ts';
import { settleParameters } from '../variants/settle-parameters.ts';
import { addReplicateSums, seededGenerator } from '../statistics/resample.ts';
import { byMassShare, massShareNames, massShares } from './columns.ts';
import { ratioFigure, wasteFigureSchema } from './figure.ts';
import type { WasteFigure } from './figure.ts';
import { groupColumns, groupFigures, groupFiguresSchema, GroupMeter } from './group-meter.ts';
import { frameHead } from './head-frame.ts';
import type { HeadFrame } from './head-frame.ts';
import { RelevantKeys } from './mass-by-position.ts';
import { refuseWithoutSoftmax } from './measure-row.ts';
import { MissedMass } from './missed-mass.ts';
import { RankedRow, weighRow } from './ranked-row.ts';
import { countHolding } from './smallest-set.ts';

/** The sums that figures of scored rows are ratios of. */
const columns = [
  'labelledRows',
  'wastedMass',
  'weightedPairs',
  'wastedPairs.p90',
  'wastedPairs.p95',
  'wastedPairs.p99',
  'denseRows',
  'missedMass',
  'relevantKeys',
  'missedRelevantKeys',
  'relevantMass',
  'missedRelevantMass',
  'answers',
  'missedAnswers',
] as const;
type Column = (typeof columns)[number];
/** Sums over the rows of one item, `[columns]`, those of groups of keys behind the others; they add over heads. */
export type ScoredSums = Float64Array;

/** A query whose answer counts, with the keys that hold it where they are known. */
export interface ScoredRow {
  readonly query: number;
  readonly relevant: readonly number[] | undefined;
}

export interface ScoredRequest {
  /** Of one item: batch 1. */
  readonly inputs: AttentionInputs;
  readonly variant: Variant;
  readonly parameters: Parameters;
  /** Dense attention over the same queries and keys: what the variant misses is measured by it. */
  readonly dense: Variant;
  readonly rows: readonly ScoredRow[];
  /** Groups of keys that are told apart. */
  readonly groups?: readonly KeyGroup[] | undefined;
}

const figure = wasteFigureSchema.nullable();
/** What scored rows of one head, or of several, waste and miss. Intervals are over items. */
export const scoredFiguresSchema = z.object({
  /** Mass on keys that do not hold the answer; null where they are not known. */
  labelledWaste: figure,
  wastedCompute: z.object({ p90: figure, p95: figure, p99: figure }),
  /** Dense attention's mass on keys that the row does not see; null of dense attention itself, as are the next two. */
  missedMass: figure,
  /** The relevant keys that the row does not see, as a share of all. */
  missedRelevantKeys: figure,
  /** Dense attention's mass on those, as a share of its mass on all relevant keys. */
  missedRelevantMass: figure,
  /** The rows that see none of their relevant keys; absent in older records, whose rows have one each. */
  missedAnswers: figure.optional(),
  /** By groups of keys, where the task has some. */
  groups: groupFiguresSchema.optional(),
});
export type ScoredFigures = z.infer<typeof scoredFiguresSchema>;

/**
 * Measures the scored rows of one head of one item, in float64.
 * @throws INVALID_INPUTS where a row's logits have no softmax
 */
export function measureScored({ inputs, variant, parameters, dense, rows, groups = [] }: ScoredRequest, head: number): ScoredSums {
  const at = { batch: 0, head };
  const variantRows = weighedRows(variant, inputs, parameters, at);
  const denseRows = variant.name === dense.name ? undefined : weighedRows(dense, inputs, settleParameters(dense, {}), at);
  const frame = frameHead(inputs, variantRows, at);
  const [row, denseRow] = [new RankedRow(frame.norm.length), new RankedRow(frame.keys)];
  const [relevantKeys, missed] = [new RelevantKeys(frame.keys), new MissedMass(frame.keys)];
  const meter = groups.length === 0 ? undefined : new GroupMeter(groups, frame.keys);
  const sums = new Float64Array(columns.length + groupColumns(groups));
  for (const { query, relevant } of rows) {
    weighRow(variantRows, query, row);
    refuseWithoutSoftmax(row, frame, query);
    if (row.length > 0) {
      row.rank();
      addWaste(sums, row);
      for (const [column, value] of meter?.measure(row, frame).entries() ?? []) sums[columns.length + column]! += value;
      if (relevant !== undefined) {
        add(sums, 'labelledRows', 1);
        add(sums, 'wastedMass', relevantKeys.wasteOf(row, frame, relevant));
      }
    }
    if (denseRows === undefined) continue;
    weighRow(denseRows, query, denseRow);
    refuseWithoutSoftmax(denseRow, frame, query);
    if (denseRow.length > 0) addMissed(sums, { row, denseRow, frame, missed, relevant });
  }
  return sums;
}

function add(sums: ScoredSums, column: Column, value: number): void {
  const index = columns.indexOf(column);
  sums[index] = sums[index]! + value;
}

function addWaste(sums: ScoredSums, row: RankedRow): void {
  add(sums, 'weightedPairs', row.count);
  for (const name of massShareNames) add(sums, `wastedPairs.${name}`, row.count - countHolding(row, massShares[name]));
}

interface MissedRow {
  readonly row: RankedRow;
  readonly denseRow: RankedRow;
  readonly frame: HeadFrame;
  readonly missed: MissedMass;
  readonly relevant: readonly number[] | undefined;
}

function addMissed(sums: ScoredSums, { row, denseRow, frame, missed, relevant = [] }: MissedRow): void {
  missed.measure(row, frame, denseRow);
  add(sums, 'denseRows', 1);
  add(sums, 'missedMass', missed.missed);
  if (relevant.length === 0) return;
  add(sums, 'answers', 1);
  add(sums, 'missedAnswers', Number(!relevant.some((key) => missed.sees(key))));
  const masses = massesOf(denseRow, frame.keys);
  for (const key of relevant) {
    const mass = masses[key]!;
    const [keys, lost] = missed.sees(key) ? [0, 0] : [1, mass];
    add(sums, 'relevantKeys', 1);
    add(sums, 'missedRelevantKeys', keys);
    add(sums, 'relevantMass', mass);
    add(sums, 'missedRelevantMass', lost);
  }
}

/** The mass of a row without pooled blocks on each key, `[keys]`. */
function massesOf(row: RankedRow, keys: number): Float64Array {
  const masses = new Float64Array(keys);
  for (let entry = 0; entry < row.length; entry += 1) masses[row.key[entry]!] = row.weight[entry]! / row.total;
  return masses;
}

const confidence = 0.95;
const resamples = 1000;

/** How the intervals of figures were made. */
export function scoredInterval(seed: number): { readonly confidence: number; readonly resamples: number; readonly seed: number } {
  return { confidence, resamples, seed };
}

/** The figures of items' sums, and their bootstrap intervals over items: the rows and heads of an item are not independent. */
export function scoredFigures(items: readonly ScoredSums[], seed: number, groups: readonly KeyGroup[] = []): ScoredFigures {
  const width = columns.length + groupColumns(groups);
  const values = new Float64Array(items.length * width);
  for (const [index, sums] of items.entries()) values.set(sums, index * width);
  const replicates = new Float64Array(resamples * width);
  addReplicateSums(replicates, { columns: width, values, strata: [items.length] }, seededGenerator(seed, 'waste/scored'));
  const sums = Float64Array.from({ length: width }, (_, at) => items.reduce((sum, item) => sum + item[at]!, 0));
  const from = { sums, replicates: items.length < 2 ? undefined : replicates };
  const named = (column: Column) => ({ at: columns.indexOf(column), name: column.replace(/\..*/, '') });
  const ratio = (numerator: Column, denominator: Column): WasteFigure | null => ratioFigure(from, named(numerator), named(denominator));
  return {
    labelledWaste: ratio('wastedMass', 'labelledRows'),
    wastedCompute: byMassShare((share) => ratio(`wastedPairs.${share}`, 'weightedPairs')),
    missedMass: ratio('missedMass', 'denseRows'),
    missedRelevantKeys: ratio('missedRelevantKeys', 'relevantKeys'),
    missedRelevantMass: ratio('missedRelevantMass', 'relevantMass'),
    missedAnswers: ratio('missedAnswers', 'answers'),
    ...(groups.length > 0 && { groups: groupFigures(groups, from, columns.length) }),
  };
}
