import { fingerprintOf } from '../compare/baseline.ts';
import type { CellRecord } from '../contract/cell.ts';
import type { RunRecord } from '../contract/run.ts';
import type { Comparison, Verdict } from '../contract/verdict.ts';
import { nameOf, peakOf, wasteOf } from '../report/cell-facts.ts';
import { hostName } from './host.ts';

/** Types of columns; `count` is a whole number, `time` milliseconds since 1970, `json` text in UTF-8. */
export type ColumnType = 'text' | 'number' | 'count' | 'flag' | 'time' | 'json';
export type Value = string | number | boolean | Uint8Array | null | undefined;

/** A column: its type, and its value in an item's row. */
export type Columns<Item> = Readonly<Record<string, readonly [type: ColumnType, read: (item: Item) => Value]>>;

/** Where a record came from, and what it is known by. */
export interface Origin {
  /** SHA-256 of the record's content. */
  readonly id: string;
  /** The same for all states of a run that was interrupted and resumed. */
  readonly key: string;
  /** The file that it was added from, as it was named. */
  readonly source: string;
  /** Milliseconds since 1970. */
  readonly addedAt: number;
}

export interface RunRow extends Origin {
  readonly run: RunRecord;
  /** The row of its first cell in the cells of the same part. */
  readonly firstCell: number;
  /** The id of the record that this one continues. */
  readonly replaces: string | null;
  /** The record as it was added, without its cells. */
  readonly json: Uint8Array;
}

export interface CellRow {
  readonly id: string;
  readonly cell: CellRecord;
  readonly json: Uint8Array;
}

export interface VerdictRow extends Origin {
  readonly verdict: Verdict;
  readonly firstComparison: number;
  /** The record as it was added, without its comparisons. */
  readonly json: Uint8Array;
}

export interface ComparisonRow {
  readonly id: string;
  readonly comparison: Comparison;
  readonly json: Uint8Array;
}

const origin = {
  key: ['text', ({ key }) => key],
  source: ['text', ({ source }) => source],
  addedAt: ['time', ({ addedAt }) => addedAt],
} as const satisfies Columns<Origin>;

/** Run records, one a row. Names and units are those of the records and of their CSV. */
const runs: Columns<RunRow> = {
  run: ['text', ({ id }) => id],
  ...origin,
  suite: ['text', ({ run }) => run.suite.name],
  suiteSha256: ['text', ({ run }) => run.suite.sha256],
  reference: ['text', ({ run }) => run.suite.reference],
  version: ['text', ({ run }) => run.tool.version],
  startedAt: ['time', ({ run }) => Date.parse(run.startedAt)],
  endedAt: ['time', ({ run }) => (run.endedAt === null ? null : Date.parse(run.endedAt))],
  complete: ['flag', ({ run }) => run.complete],
  declared: ['count', ({ run }) => run.declared.length],
  cells: ['count', ({ run }) => run.cells.length],
  firstCell: ['count', ({ firstCell }) => firstCell],
  fingerprint: ['text', ({ run }) => fingerprintOf(run)],
  host: ['text', ({ run }) => hostName(run.host)],
  replaces: ['text', ({ replaces }) => replaces],
  json: ['json', ({ json }) => json],
};

const cells: Columns<CellRow> = {
  run: ['text', ({ id }) => id],
  cell: ['text', ({ cell }) => cell.id],
  name: ['text', ({ cell }) => nameOf(cell)],
  variant: ['text', ({ cell }) => cell.variant.name],
  kernel: ['text', ({ cell }) => cell.kernel],
  backend: ['text', ({ cell }) => cell.backend],
  batch: ['count', ({ cell }) => cell.shape.batch],
  heads: ['count', ({ cell }) => cell.shape.heads],
  kvHeads: ['count', ({ cell }) => cell.shape.kvHeads],
  queries: ['count', ({ cell }) => cell.shape.queries],
  keys: ['count', ({ cell }) => cell.shape.keys],
  headDim: ['count', ({ cell }) => cell.shape.headDim],
  causal: ['flag', ({ cell }) => cell.shape.causal],
  dtype: ['text', ({ cell }) => cell.shape.dtype],
  pass: ['text', ({ cell }) => cell.pass ?? 'forward'],
  inputs: ['text', ({ cell }) => cell.inputs],
  seed: ['count', ({ cell }) => cell.seed],
  status: ['text', ({ cell }) => cell.status],
  reason: ['text', ({ cell }) => cell.reason],
  medianNs: ['number', ({ cell }) => cell.latency?.medianNs],
  lowNs: ['number', ({ cell }) => cell.latency?.ciNs.low],
  highNs: ['number', ({ cell }) => cell.latency?.ciNs.high],
  p99Ns: ['number', ({ cell }) => cell.latency?.p99Ns],
  minNs: ['number', ({ cell }) => cell.latency?.minNs],
  samples: ['count', ({ cell }) => cell.latency?.samplesNs.length],
  steady: ['flag', ({ cell }) => cell.latency?.warmup.steady],
  peakBytes: ['number', ({ cell }) => peakOf(cell)],
  scoredPairs: ['number', ({ cell }) => cell.work?.scoredPairs],
  flops: ['number', ({ cell }) => cell.work?.flops],
  kernelWaste95: ['number', ({ cell }) => wasteOf(cell).waste],
  missedMass: ['number', ({ cell }) => wasteOf(cell).missed],
  relativeError: ['number', ({ cell }) => cell.error?.relative],
  json: ['json', ({ json }) => json],
};

const verdicts: Columns<VerdictRow> = {
  verdict: ['text', ({ id }) => id],
  ...origin,
  kind: ['text', ({ verdict }) => verdict.kind],
  name: ['text', ({ verdict }) => verdict.name],
  base: ['text', ({ verdict }) => verdict.base],
  version: ['text', ({ verdict }) => verdict.tool.version],
  startedAt: ['time', ({ verdict }) => Date.parse(verdict.startedAt)],
  endedAt: ['time', ({ verdict }) => Date.parse(verdict.endedAt)],
  outcome: ['text', ({ verdict }) => verdict.outcome],
  exitCode: ['count', ({ verdict }) => verdict.exitCode],
  summary: ['text', ({ verdict }) => verdict.summary],
  comparisons: ['count', ({ verdict }) => verdict.comparisons.length],
  firstComparison: ['count', ({ firstComparison }) => firstComparison],
  fingerprint: ['text', ({ verdict }) => fingerprintOf(verdict)],
  host: ['text', ({ verdict }) => hostName(verdict.host)],
  json: ['json', ({ json }) => json],
};

const comparisons: Columns<ComparisonRow> = {
  verdict: ['text', ({ id }) => id],
  name: ['text', ({ comparison }) => comparison.name],
  cell: ['text', ({ comparison }) => comparison.cell],
  metric: ['text', ({ comparison }) => comparison.metric],
  unit: ['text', ({ comparison }) => comparison.unit],
  base: ['number', ({ comparison }) => comparison.base],
  new: ['number', ({ comparison }) => comparison.new],
  change: ['number', ({ comparison }) => comparison.effect?.estimate],
  low: ['number', ({ comparison }) => comparison.effect?.low],
  high: ['number', ({ comparison }) => comparison.effect?.high],
  confidence: ['number', ({ comparison }) => comparison.effect?.confidence],
  margin: ['number', ({ comparison }) => comparison.margin],
  floor: ['number', ({ comparison }) => comparison.floor],
  direction: ['text', ({ comparison }) => comparison.direction],
  outcome: ['text', ({ comparison }) => comparison.outcome],
  decides: ['flag', ({ comparison }) => comparison.decides],
  blocks: ['count', ({ comparison }) => comparison.blocks.length],
  reason: ['text', ({ comparison }) => comparison.reason],
  json: ['json', ({ json }) => json],
};

/** The tables of a store, one Parquet file each in every part. */
export const tables = { runs, cells, verdicts, comparisons };
export type TableName = keyof typeof tables;
export const tableNames = Object.keys(tables) as TableName[];
