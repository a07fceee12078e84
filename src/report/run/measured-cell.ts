import type { CellRecord } from '../../contract/cell.ts';
import type { RunRecord } from '../../contract/run.ts';
import { oneLine } from '../../text/untrusted.ts';
import { shorten } from '../../text/layout.ts';
import type { WasteReport } from '../../waste/schema.ts';
import { nameOf, peakOf, settingOf, speedUp, wasteReportOf } from '../cell-facts.ts';
import type { Series } from '../charts/encode-series.ts';

/** A cell as a report shows it: what is read off its record once, and used in many places. */
export interface MeasuredCell {
  readonly cell: CellRecord;
  /** As a user writes it, clipped. */
  readonly name: string;
  /** What it shares with the cells that it is compared with, but for the length. */
  readonly setting: string;
  /** Keys. */
  readonly length: number;
  readonly medianNs: number | undefined;
  readonly peakBytes: number | undefined;
  /** How many times faster than the suite's reference cell at the same length and setting. */
  readonly speedUp: number | null;
  readonly waste: WasteReport | null;
}

/** Cells alike but for variant, kernel and length: what one chart may show together. */
export interface SettingGroup {
  readonly setting: string;
  readonly cells: readonly MeasuredCell[];
  /** In the order of the record. */
  readonly series: readonly Series[];
  readonly lengths: readonly number[];
}

export function measuredCells(run: RunRecord): MeasuredCell[] {
  const groups = Map.groupBy(run.cells, (cell) => settingOf(cell, { length: true }));
  const seeded = new Set(run.cells.map(({ seed }) => seed)).size > 1;
  return run.cells.map((cell) => ({
    cell,
    name: shorten(oneLine(nameOf(cell)), 60),
    setting: shorten(oneLine(settingOf(cell) + apart(cell, seeded)), 120),
    length: cell.shape.keys,
    medianNs: cell.status === 'ok' ? positive(cell.latency?.medianNs) : undefined,
    peakBytes: cell.status === 'ok' ? positive(peakOf(cell)) : undefined,
    speedUp: speedUp(cell, groups.get(settingOf(cell, { length: true }))!, run.suite.reference),
    waste: wasteReportOf(cell),
  }));
}

/** What else keeps cells from being compared: another number of queries than keys, another seed. */
function apart({ shape, seed }: CellRecord, seeded: boolean): string {
  return `${shape.queries === shape.keys ? '' : ` · ${shape.queries} queries`}${seeded ? ` · seed ${seed}` : ''}`;
}

/** A figure that can be drawn on a logarithmic axis: a record may hold zeros. */
function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}

export function settingGroups(cells: readonly MeasuredCell[]): SettingGroup[] {
  return [...Map.groupBy(cells, ({ setting }) => setting)].map(([setting, own]) => ({
    setting,
    cells: own,
    series: [...new Map(own.map(({ name, cell }) => [name, { name, variant: cell.variant.name }])).values()],
    lengths: [...new Set(own.map(({ length }) => length))].sort((a, b) => a - b),
  }));
}

/** The cells at a group's greatest length. */
export function longest({ cells, lengths }: SettingGroup): MeasuredCell[] {
  return cells.filter(({ length }) => length === lengths.at(-1));
}
