import type { CellRecord } from '../contract/cell.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { RunRecord } from '../contract/run.ts';
import { nameOf, peakOf, wasteOf } from './cell-facts.ts';
import { fileNames, numbered } from './comparison/column-names.ts';
import { describedHost, differencesOf } from './comparison/differences.ts';
import type { Difference } from './comparison/differences.ts';
import { nearestDifferences, pairKey, settingWithoutBackend } from './comparison/pairing.ts';
import { geometricMean, ratioOfMedians, ratioOfSizes } from './comparison/ratio.ts';
import type { MeanRatio, Ratio } from './comparison/ratio.ts';

const runComparisonSchemaName = 'attnswap.comparison/1';

/** A run record with the file that it was read from. */
export interface SourcedRun {
  readonly source: string;
  readonly run: RunRecord;
}

/** Run records side by side. All text may come from outside. Times are nanoseconds, sizes bytes, ratios over a column's base. */
export interface RunComparison {
  readonly schema: typeof runComparisonSchemaName;
  readonly records: readonly ComparedRecord[];
  readonly differences: readonly Difference[];
  /** The first is the base of all that have none of their own; those that share no cell with their base are in `refused`. */
  readonly columns: readonly ComparedColumn[];
  readonly refused: readonly RefusedColumn[];
  readonly rows: readonly ComparedRow[];
}

export interface ComparedRecord {
  /** Unique: of the file. */
  readonly name: string;
  readonly source: string;
  readonly suite: string;
  readonly tool: string;
  readonly startedAt: string;
  /** 12 digits of the host's fingerprint; null where the record has none. */
  readonly fingerprint: string | null;
  readonly described: boolean;
  readonly command: readonly string[];
  readonly complete: boolean;
  readonly declared: number;
  readonly measured: number;
  /** Cells left out, as an earlier one of the record is of the same configuration. */
  readonly repeated: number;
}

interface Column {
  /** Unique: the record's, with the backend where backends differ. */
  readonly name: string;
  /** Its place among the records. */
  readonly record: number;
  /** null where the record holds no cells. */
  readonly backend: string | null;
}

export interface ComparedColumn extends Column {
  /** The column that this one is compared with: the first record's of the same backend, where it has one, else the first. */
  readonly base: number;
  /** Rows that both this column and the base have, whatever became of them. */
  readonly shared: number;
  /** Rows that were not measured here, or not well. */
  readonly missing: number;
  /** Latency over the base's, over the cells that are ok in both. */
  readonly meanRatio: MeanRatio | null;
}

export interface RefusedColumn extends Column {
  /** The name of the column that it was to be compared with. */
  readonly base: string;
  readonly cells: number;
  /** In what the nearest cells differ: `heads 8 against 12`. None where one side has no cells. */
  readonly nearest: readonly string[];
}

/** A cell apart from its backend. */
export interface ComparedRow {
  readonly kernel: string;
  readonly setting: string;
  /** A record's own words for it, of the first column that has it. */
  readonly spec: Pick<CellRecord, 'variant' | 'kernel' | 'shape' | 'inputs' | 'seed'>;
  /** One a column. */
  readonly cells: readonly ComparedCell[];
}

export interface ComparedCell {
  readonly status: CellRecord['status'] | 'absent';
  readonly reason: string | null;
  readonly medianNs: number | null;
  readonly lowNs: number | null;
  readonly highNs: number | null;
  /** Whether the latency was steady; null if it was not measured, or with too few samples to tell. */
  readonly steady: boolean | null;
  /** Latency over the base's; null in the base, and where either is not ok. */
  readonly ratio: Ratio | null;
  /** The device's where it has memory of its own, else the host's. */
  readonly peakBytes: number | null;
  readonly peakRatio: number | null;
  /** The share of scored products that 95 % of the weight does without. */
  readonly waste: number | null;
  readonly error: number | null;
}

interface Side extends Column {
  readonly cells: ReadonlyMap<string, CellRecord>;
}

/** A side and the one that it is compared with: itself, of the first. */
interface Paired {
  readonly side: Side;
  readonly base: Side;
}

/**
 * Lays run records side by side, the first as the base. Cells are paired by all but their backend, and a record of several backends gives
 * a column for each, which is compared with the same backend's of the first record where that has it. Whatever differs between the records is in every ratio: `differences` lists what they tell of it.
 * @throws USAGE for fewer than two records
 */
export function compareRuns(sources: readonly SourcedRun[]): RunComparison {
  if (sources.length < 2) {
    throw new AttnswapError('USAGE', 'a comparison needs at least two run records; the first is the base', {
      hint: 'attnswap compare base.run.json new.run.json',
    });
  }
  const names = fileNames(sources.map(({ source }) => source));
  const paired = pairedSides(sidesOf(sources, names));
  const [first, ...others] = paired;
  const sharing = others.filter(({ side, base }) => sharedKeys(base, side.cells).length > 0);
  const needed = new Set(sharing.map(({ base }) => base));
  const refused = others.filter((each) => !sharing.includes(each) && !needed.has(each.side));
  const kept = paired.filter((each) => each === first || !refused.includes(each));
  const sides = kept.map(({ side }) => side);
  const bases = kept.map(({ base }) => sides.indexOf(base));
  const rows = rowsOf(sides, bases);
  return {
    schema: runComparisonSchemaName,
    records: sources.map((each, index) => recordOf(each, names[index]!)),
    differences: differencesOf(sources.map(({ run }) => run)),
    columns: sides.map((side, index) => columnOf(side, sides[bases[index]!]!, { base: bases[index]!, compared: columnCells(rows, index) })),
    refused: refused.map(refusedOf),
    rows,
  };
}

/** Each with its base, in their order. A backend of the first record is compared with that record's first. */
function pairedSides(sides: readonly Side[]): Paired[] {
  const first = sides[0]!;
  const own = sides.filter(({ record }) => record === first.record);
  return sides.map((side) => {
    const same = own.find(({ backend }) => backend === side.backend);
    return { side, base: side.record === first.record ? first : (same ?? first) };
  });
}

/** Whether a cell has figures that may be compared. */
export function isMeasured({ status, medianNs }: ComparedCell): boolean {
  return status === 'ok' && medianNs !== null;
}

function recordOf({ source, run }: SourcedRun, name: string): ComparedRecord {
  const host = describedHost(run);
  return {
    name,
    source,
    suite: run.suite.name,
    tool: run.tool.version,
    startedAt: run.startedAt,
    fingerprint: host?.sha256?.slice(0, 12) ?? null,
    described: host !== null,
    command: run.command,
    complete: run.complete,
    declared: run.declared.length,
    measured: run.cells.length,
    repeated: run.cells.length - new Set(run.cells.map((cell) => JSON.stringify([cell.backend, pairKey(cell)]))).size,
  };
}

/** A side for each record and backend; the backend is named unless all records have the same one. */
function sidesOf(sources: readonly SourcedRun[], names: readonly string[]): Side[] {
  const sides = sources.flatMap(({ run }, record) => {
    const byBackend = Map.groupBy(run.cells, ({ backend }) => backend);
    const groups: ReadonlyArray<readonly [string | null, readonly CellRecord[]]> = byBackend.size === 0 ? [[null, []]] : [...byBackend];
    return groups.map(([backend, cells]) => ({ record, backend, cells: byKey(cells) }));
  });
  const plain = new Set(sides.flatMap(({ backend }) => backend ?? [])).size < 2;
  const titles = sides.map(({ record, backend }) => (plain || backend === null ? names[record]! : `${names[record]!} · ${backend}`));
  const unique = numbered(titles);
  return sides.map((side, index) => ({ ...side, name: unique[index]! }));
}

/** The first cell of each configuration. */
function byKey(cells: readonly CellRecord[]): Map<string, CellRecord> {
  return new Map([...Map.groupBy(cells, pairKey)].map(([key, alike]) => [key, alike[0]!]));
}

function sharedKeys(base: Side, cells: ReadonlyMap<string, CellRecord>): string[] {
  return [...base.cells.keys()].filter((key) => cells.has(key));
}

function columnCells(rows: readonly ComparedRow[], index: number): ComparedCell[] {
  return rows.map(({ cells }) => cells[index]!);
}

function columnOf(side: Side, against: Side, { base, compared }: { base: number; compared: readonly ComparedCell[] }): ComparedColumn {
  const { name, record, backend, cells } = side;
  return {
    name,
    record,
    backend,
    base,
    shared: sharedKeys(against, cells).length,
    missing: compared.filter((cell) => !isMeasured(cell)).length,
    meanRatio: geometricMean(compared.flatMap(({ ratio }) => ratio?.value ?? [])),
  };
}

function refusedOf({ side: { name, record, backend, cells }, base }: Paired): RefusedColumn {
  const nearest = nearestDifferences([...base.cells.values()], [...cells.values()]);
  return { name, record, backend, base: base.name, cells: cells.size, nearest };
}

/** Every cell that any side has, the first side's first, each side's in its own order. `bases` tells which side each is compared with. */
function rowsOf(sides: readonly Side[], bases: readonly number[]): ComparedRow[] {
  const found = new Map<string, CellRecord>();
  for (const { cells } of sides) for (const [key, cell] of cells) if (!found.has(key)) found.set(key, cell);
  const seeded = new Set([...found.values()].map(({ seed }) => seed)).size > 1;
  return [...found].map(([key, first]) => {
    const { variant, kernel, shape, inputs, seed } = first;
    const own = sides.map(({ cells }) => cells.get(key));
    return {
      kernel: nameOf(first),
      setting: `${settingWithoutBackend(first)}${seeded ? ` · seed ${seed}` : ''}`,
      spec: { variant, kernel, shape, inputs, seed },
      cells: own.map((cell, index) => cellOf(cell, bases[index] === index ? undefined : own[bases[index]!])),
    };
  });
}

function cellOf(cell: CellRecord | undefined, base: CellRecord | undefined): ComparedCell {
  const timed = timingOf(cell);
  const against = timingOf(base);
  const peakBytes = (timed && cell && peakOf(cell)) ?? null;
  const basePeak = (against && base && peakOf(base)) ?? null;
  return {
    status: cell?.status ?? 'absent',
    reason: cell?.reason ?? (cell?.status === 'ok' && timed === undefined ? 'the record holds no latency of it' : null),
    medianNs: timed?.medianNs ?? null,
    lowNs: timed?.ciNs.low ?? null,
    highNs: timed?.ciNs.high ?? null,
    steady: timed?.warmup.steady ?? null,
    ratio: timed && against ? ratioOfMedians(timed, against) : null,
    peakBytes,
    peakRatio: ratioOfSizes(peakBytes, basePeak),
    waste: cell === undefined ? null : wasteOf(cell).waste,
    error: cell?.error?.relative ?? null,
  };
}

/** Of a cell that is ok: what failed later may have a latency too, and it is no figure. */
function timingOf(cell: CellRecord | undefined): CellRecord['latency'] {
  return cell?.status === 'ok' ? cell.latency : undefined;
}
