import { AttnswapError } from '../contract/errors.ts';
import { readRun } from '../contract/run.ts';
import type { RunRecord } from '../contract/run.ts';
import { readVerdict } from '../contract/verdict.ts';
import type { Verdict } from '../contract/verdict.ts';
import { readTable } from './parquet.ts';
import type { Row } from './parquet.ts';
import { partsOf, rowsOf, tableFile } from './parts.ts';

/** A stored run as far as it is known without its cells. */
export interface StoredRun {
  /** SHA-256 of its content. */
  readonly id: string;
  readonly suite: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly complete: boolean;
  readonly declared: number;
  readonly cells: number;
  /** Processor, cores and GPUs. */
  readonly host: string;
  readonly fingerprint: string;
  readonly version: string;
  /** The file that it was added from. */
  readonly source: string;
  readonly at: Place;
}

/** Where a run lies in the store. */
interface Place {
  readonly part: string;
  readonly firstCell: number;
  /** The record without its cells. */
  readonly json: string;
}

/** How a run of the store is named where a file could be: `store:` and the first digits of its id. */
const storedPrefix = 'store:';
const shownDigits = 12;

/** The name of a stored run. */
export function storedName(id: string): string {
  return `${storedPrefix}${id.slice(0, shownDigits)}`;
}

const runColumns = [
  'run',
  'suite',
  'startedAt',
  'complete',
  'declared',
  'cells',
  'host',
  'fingerprint',
  'version',
  'source',
  'firstCell',
  'replaces',
  'json',
] as const;

/** Every stored run but those that a later state of the same run replaces, by the time they began. @throws FILE_UNREADABLE, INVALID_STORE */
export async function storedRuns(store: string): Promise<StoredRun[]> {
  const rows = await rowsOf(await partsOf(store), 'runs', runColumns);
  const replaced = new Set(rows.map(({ replaces }) => replaces));
  const current = rows.filter(({ run }) => !replaced.has(run)).toSorted((a, b) => Number(a.startedAt) - Number(b.startedAt));
  return current.map((row) => ({
    id: String(row.run),
    suite: String(row.suite),
    startedAt: new Date(Number(row.startedAt)).toISOString(),
    complete: row.complete === true,
    declared: Number(row.declared),
    cells: Number(row.cells),
    host: String(row.host),
    fingerprint: String(row.fingerprint),
    version: String(row.version),
    source: String(row.source),
    at: { part: row.part, firstCell: Number(row.firstCell), json: String(row.json) },
  }));
}

/** What a stored run says of its host. */
export function hostOf({ at }: StoredRun): unknown {
  return (JSON.parse(at.json) as { host?: unknown }).host;
}

/** The record of a stored run, as it was added. @throws INVALID_STORE, INVALID_RUN */
export async function runOf({ id, cells, at }: StoredRun): Promise<RunRecord> {
  const rows = await readTable(tableFile(at.part, 'cells'), { columns: ['json'], start: at.firstCell, end: at.firstCell + cells });
  const record = JSON.parse(at.json) as object;
  return readRun({ ...record, cells: rows.map(({ json }) => JSON.parse(String(json)) as unknown) }, storedName(id));
}

/**
 * The run that `store:<digits>` names.
 * @throws FILE_UNREADABLE where none or several begin so; INVALID_STORE, INVALID_RUN
 */
export async function loadStoredRun(store: string, name: string): Promise<RunRecord> {
  const digits = name.slice(storedPrefix.length);
  const runs = await storedRuns(store);
  const found = digits === '' ? [] : runs.filter(({ id }) => id.startsWith(digits));
  if (found.length === 1) return runOf(found[0]!);
  throw new AttnswapError('FILE_UNREADABLE', `${name}: ${found.length} of ${runs.length} runs in ${store} have such an id, expected one`, {
    hint: 'attnswap store list shows the ids',
  });
}

/** The latencies of stored runs, one map a run: nanoseconds by id of the cells that are ok. @throws FILE_UNREADABLE, INVALID_STORE */
export async function mediansOf(runs: readonly StoredRun[]): Promise<ReadonlyArray<ReadonlyMap<string, number>>> {
  const found = new Map<StoredRun, ReadonlyMap<string, number>>();
  for (const [part, own] of Map.groupBy(runs, ({ at }) => at.part)) {
    const rows = await readTable(tableFile(part, 'cells'), { columns: ['cell', 'status', 'medianNs'] });
    for (const run of own) {
      const cells = rows.slice(run.at.firstCell, run.at.firstCell + run.cells).filter(isTimed);
      found.set(run, new Map(cells.map(({ cell, medianNs }) => [String(cell), Number(medianNs)])));
    }
  }
  return runs.map((run) => found.get(run)!);
}

function isTimed({ status, medianNs }: Row<'status' | 'medianNs'>): boolean {
  return status === 'ok' && medianNs !== null;
}

export interface StoredVerdict {
  readonly id: string;
  readonly source: string;
  readonly verdict: Verdict;
}

/** Every stored verdict, by the time it began. @throws FILE_UNREADABLE, INVALID_STORE, INVALID_VERDICT */
export async function storedVerdicts(store: string): Promise<StoredVerdict[]> {
  const found: StoredVerdict[] = [];
  for (const part of await partsOf(store)) {
    const rows = await readTable(tableFile(part, 'verdicts'), { columns: ['verdict', 'source', 'firstComparison', 'comparisons', 'json'] });
    const items = rows.length === 0 ? [] : await readTable(tableFile(part, 'comparisons'), { columns: ['json'] });
    for (const { verdict: id, source, firstComparison, comparisons, json } of rows) {
      const [start, count] = [Number(firstComparison), Number(comparisons)];
      const own = items.slice(start, start + count).map((item) => JSON.parse(String(item.json)) as unknown);
      const verdict = readVerdict({ ...(JSON.parse(String(json)) as object), comparisons: own }, String(source));
      found.push({ id: String(id), source: String(source), verdict });
    }
  }
  return found.toSorted((a, b) => a.verdict.startedAt.localeCompare(b.verdict.startedAt));
}
