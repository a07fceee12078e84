import { AttnswapError } from '../contract/errors.ts';
import type { HeadRows } from '../contract/variant.ts';
import type { RowTable } from './columns.ts';
import { errorBudgetNames, massShareNames, massShares } from './columns.ts';
import { dropFirstToken, entryOfFirstToken } from './drop-first-token.ts';
import { participation, perplexity } from './effective-support.ts';
import { ErrorPrefix } from './error-prefix.ts';
import type { KeyGroup } from '../contract/key-groups.ts';
import { GroupMeter } from './group-meter.ts';
import type { HeadFrame } from './head-frame.ts';
import { localMass, massWithin, RelevantKeys } from './mass-by-position.ts';
import { MissedMass } from './missed-mass.ts';
import { RankedRow, weighRow } from './ranked-row.ts';
import { SinkSearch } from './sink.ts';
import { countHolding, WastedMass } from './smallest-set.ts';

/** One row to measure: where it stands, and what is known about it. */
export interface RowPlace {
  readonly query: number;
  /** How many rows it stands for. */
  readonly weight: number;
  /** The keys that matter to it, where that is known. */
  readonly relevant: ArrayLike<number> | undefined;
}

/** One head's rows of the variant and of dense attention; `dense` is undefined where the variant is dense itself. */
export interface HeadPair {
  readonly frame: HeadFrame;
  readonly variant: HeadRows;
  readonly dense: HeadRows | undefined;
}

/** @throws INVALID_INPUTS */
export function refuseWithoutSoftmax(row: RankedRow, { batch, head }: HeadFrame, query: number): void {
  if (!Number.isNaN(row.total)) return;
  const where = `batch ${batch}, head ${head}, query ${query}`;
  throw new AttnswapError('INVALID_INPUTS', `waste: ${where}: the logits have no softmax (NaN, ∞, or all −∞)`, {
    hint: 'check the inputs for NaN and ∞, and check their scale',
  });
}

/** Measures row after row into a table, in buffers of O(keys + pools) that it keeps. */
export class RowMeter {
  readonly sinks: SinkSearch;
  readonly #row: RankedRow;
  readonly #denseRow: RankedRow;
  readonly #errorPrefix: ErrorPrefix;
  readonly #wastedMass: WastedMass;
  readonly #missedMass: MissedMass;
  readonly #relevantKeys: RelevantKeys;
  readonly #groups: GroupMeter | undefined;

  /** For heads with as many keys as `frame`'s and no more pools. */
  constructor(frame: HeadFrame, groups: readonly KeyGroup[]) {
    this.sinks = new SinkSearch(frame.keys);
    this.#row = new RankedRow(frame.norm.length, ErrorPrefix.bytesInArena(frame.norm.length, frame.headDim));
    this.#denseRow = new RankedRow(frame.keys);
    this.#errorPrefix = new ErrorPrefix(this.#row, frame.headDim);
    this.#wastedMass = new WastedMass(frame.norm.length);
    this.#missedMass = new MissedMass(frame.keys);
    this.#relevantKeys = new RelevantKeys(frame.keys);
    this.#groups = groups.length === 0 ? undefined : new GroupMeter(groups, frame.keys);
  }

  /** Begins with a head; its rows follow. */
  startHead(frame: HeadFrame): void {
    this.sinks.startHead();
    this.#errorPrefix.startHead(frame);
  }

  measure(head: HeadPair, place: RowPlace, table: RowTable): void {
    const row = this.#row;
    const { frame } = head;
    weighRow(head.variant, place.query, row);
    refuseWithoutSoftmax(row, frame, place.query);
    table.startRow(place.weight);
    this.#measureMissed(head, place.query, table);
    if (row.length === 0) return;
    this.#measureSupport(frame, place, table);
    row.rank(entryOfFirstToken(row, frame));
    if (this.#groups !== undefined) table.putMore(this.#groups.measure(row, frame));
    this.#addUp(frame);
    this.#measureWaste('', { frame, place, table });
    if (row.first === -1) return table.copyToWithoutFirst();
    if (dropFirstToken(row, frame)) this.#addUp(frame);
    this.#measureWaste('withoutFirst.', { frame, place, table });
  }

  /** What the other tokens' entries add up to: it is the same with the first token and without it. */
  #addUp(frame: HeadFrame): void {
    this.#errorPrefix.attend(frame);
    this.#wastedMass.deal(this.#row, frame);
  }

  #measureMissed(head: HeadPair, query: number, table: RowTable): void {
    const denseRow = head.dense === undefined ? this.#row : this.#denseRow;
    if (head.dense !== undefined) {
      weighRow(head.dense, query, denseRow);
      refuseWithoutSoftmax(denseRow, head.frame, query);
    }
    if (denseRow.length === 0) return;
    table.put('denseRows', 1);
    if (head.dense === undefined) return;
    this.#missedMass.measure(this.#row, head.frame, denseRow);
    table.put('missedMass', this.#missedMass.missed);
    table.put('pooledMass', this.#missedMass.pooled);
  }

  #measureSupport(frame: HeadFrame, place: RowPlace, table: RowTable): void {
    const row = this.#row;
    const position = place.query + frame.offset;
    table.put('effectiveKeys.entropy', perplexity(row));
    table.put('effectiveKeys.participation', participation(row));
    table.put('firstTokenMass', massWithin(row, frame, 0, 1));
    table.put('localMass', localMass(row, frame, position));
    this.sinks.add(row, frame, { position, weight: place.weight });
  }

  #measureWaste(prefix: '' | 'withoutFirst.', at: { frame: HeadFrame; place: RowPlace; table: RowTable }): void {
    const row = this.#row;
    const { frame, place, table } = at;
    if (row.count === 0) return;
    table.put(`${prefix}seeingRows`, 1);
    table.put(`${prefix}weightedPairs`, row.count);
    for (const name of massShareNames) {
      const kept = countHolding(row, massShares[name]);
      table.put(`${prefix}wastedPairs.${name}`, row.count - kept);
      if (prefix === '') table.put(`keptPairs.${name}`, kept);
    }
    this.#errorPrefix.measure(frame);
    for (const name of errorBudgetNames) table.put(`${prefix}wastedPairs.${name}`, row.count - this.#errorPrefix.length[name]);
    table.put(`${prefix}wastedMass`, this.#wastedMass.of(row, frame));
    if (place.relevant === undefined) return;
    table.put(`${prefix}labelledRows`, 1);
    table.put(`${prefix}labelledWaste`, this.#relevantKeys.wasteOf(row, frame, place.relevant));
  }
}
