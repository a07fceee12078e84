import type { HeadRows, Row } from '../contract/variant.ts';
import { FallingOrder } from './falling-order.ts';
import type { HeadFrame } from './head-frame.ts';

/**
 * One row after softmax, its entries ranked. Buffers are reused from row to row. p of an entry is `weight`/`total`; the
 * entries that count are the first `count` of either order (all of those filled, until {@link dropFirstToken}).
 */
export class RankedRow implements Row {
  length = 0;
  margin = Infinity;
  sink = -Infinity;
  count = 0;
  /** Keys before this one are dropped, from pooled blocks too: 0, or 1 without the first token. */
  firstKey: 0 | 1 = 0;
  total = 0;
  readonly key: Int32Array;
  readonly logit: Float64Array;
  /** The row's largest logit − the entry's. */
  readonly deficit: Float64Array;
  readonly weight: Float64Array;
  /** Deficit of ln(p·‖v‖), up to a constant. */
  readonly contributionDeficit: Float64Array;
  readonly byMass: FallingOrder;
  readonly byContribution: FallingOrder;

  constructor(capacity: number) {
    this.key = new Int32Array(capacity);
    this.logit = new Float64Array(capacity);
    this.deficit = new Float64Array(capacity);
    this.weight = new Float64Array(capacity);
    this.contributionDeficit = new Float64Array(capacity);
    this.byMass = new FallingOrder(capacity);
    this.byContribution = new FallingOrder(capacity);
  }
}

/**
 * Fills `row` with what `query` sees and weighs it: weight e^(logit − largest), so that the largest weighs 1. The total
 * is NaN where the logits have no softmax: one is NaN or ∞, or all are −∞.
 */
export function weighRow(rows: HeadRows, query: number, row: RankedRow): void {
  rows.fill(query, row);
  row.count = row.length;
  row.firstKey = 0;
  row.total = 0;
  let largest = -Infinity;
  for (let entry = 0; entry < row.length; entry += 1) largest = Math.max(largest, row.logit[entry]!);
  for (let entry = 0; entry < row.length; entry += 1) {
    const deficit = largest - row.logit[entry]!;
    const weight = Math.exp(-deficit);
    row.deficit[entry] = deficit;
    row.weight[entry] = weight;
    row.total += weight;
  }
}

/** Orders a weighed row by falling p and by falling p·‖v‖; a tie goes to the earlier entry. */
export function rankRow(row: RankedRow, frame: HeadFrame): void {
  for (let entry = 0; entry < row.length; entry += 1) {
    row.contributionDeficit[entry] = row.deficit[entry]! + frame.normDeficit[row.key[entry]!]!;
  }
  row.byMass.sort(row.deficit, row.length);
  row.byContribution.sort(row.contributionDeficit, row.length);
}
