import type { CellRecord } from '../../contract/cell.ts';
import type { RunRecord } from '../../contract/run.ts';
import type { Comparison, Metric, Verdict } from '../../contract/verdict.ts';
import { tamed } from '../../text/untrusted.ts';
import { pairedNew } from '../../verdict/wording.ts';
import { nameOf, peakOf, wasteOf } from '../cell-facts.ts';

/** What figures are of; smaller is better in all of them but quality. */
export type Measure = Metric | 'missed-mass';

/** One figure for other tools. */
export interface Figure {
  /** The cell: the same in every record of it. */
  readonly benchmark: string;
  readonly measure: Measure;
  /** `ns`, `bytes`, or a ratio. */
  readonly unit: string;
  readonly value: number;
  /** Its interval, where it has one. */
  readonly low: number | null;
  readonly high: number | null;
  /** What it can be chosen by: variant, backend, length. */
  readonly labels: Readonly<Record<string, string>>;
}

/** The figures of one record; its names on one line, and visible, as other tools show them in logs, comments and pages. */
export interface Figures {
  readonly name: string;
  readonly version: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly host: unknown;
  readonly figures: readonly Figure[];
}

/** Of every cell that is ok. */
export function runFigures(run: RunRecord): Figures {
  const figures = run.cells.filter(({ status }) => status === 'ok').flatMap(cellFigures);
  return tamed({ name: run.suite.name, version: run.tool.version, startedAt: run.startedAt, host: run.host, figures });
}

/** What each comparison found for the new side: where it was measured in pairs, the base times the change, with its interval. */
export function verdictFigures({ name, tool, startedAt, host, comparisons }: Verdict): Figures {
  return tamed({ name, version: tool.version, startedAt, host, figures: comparisons.flatMap(comparisonFigure) });
}

function cellFigures(cell: CellRecord): Figure[] {
  const { waste, missed } = wasteOf(cell);
  const { latency, shape, backend, variant, kernel } = cell;
  const labels = { name: nameOf(cell), variant: variant.name, kernel, backend, keys: String(shape.keys), dtype: shape.dtype };
  const figure = (
    measure: Measure,
    unit: string,
    value: number | null | undefined,
    low: number | null = null,
    high: number | null = null,
  ) => (value === null || value === undefined ? [] : [{ benchmark: cell.id, measure, unit, value, low, high, labels }]);
  return [
    ...figure('latency', 'ns', latency?.medianNs, latency?.ciNs.low, latency?.ciNs.high),
    ...figure('peak-memory', 'bytes', peakOf(cell)),
    ...figure('waste', 'share', waste),
    ...figure('missed-mass', 'share', missed),
    ...figure('error', 'ratio', cell.error?.relative),
  ];
}

function comparisonFigure(comparison: Comparison): Figure[] {
  const { cell, name, metric: measure, unit, base, effect } = comparison;
  const value = pairedNew(comparison);
  if (value === null) return [];
  const paired = base !== null && effect !== null && effect.low !== effect.high;
  const [low, high] = paired ? [base * (1 + effect.low), base * (1 + effect.high)] : [null, null];
  return [{ benchmark: cell, measure, unit, value, low, high, labels: { name } }];
}
