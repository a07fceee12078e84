import { rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readRun } from '../contract/run.ts';
import { readVerdict } from '../contract/verdict.ts';
import { requireWritableFolder } from '../files/writable.ts';
import { claimFolder } from '../processes/temporary.ts';
import { readTable } from './parquet.ts';
import { PartWriter, publish, systemFault } from './part-writer.ts';
import { allParts, compactedName, nextPart, recordsFolder, tableFile } from './parts.ts';
import type { TableName } from './tables.ts';

export interface Compaction {
  /** Parts that became one; none where there was nothing to join. */
  readonly joined: number;
  /** Parts that an earlier compaction had joined, which are gone now. */
  readonly removed: number;
}

/** Parts of more cells and comparisons are left alone: opening them costs little beside reading them. */
const fewItems = 4096;

/**
 * Joins the small parts of a store into one, record by record as they were added. It takes the next number like an addition, all of it or nothing; the
 * parts that it joined stay for those who are reading them, and are removed by the next compaction.
 * @throws FILE_UNREADABLE, INVALID_STORE, INVALID_RUN, INVALID_VERDICT, FILE_UNWRITABLE, INTERRUPTED
 */
export async function compactStore(store: string, signal?: AbortSignal): Promise<Compaction> {
  const folder = recordsFolder(store);
  await requireWritableFolder(folder);
  const { current, compacted } = await allParts(store);
  const small: string[] = [];
  for (const part of current) if ((await itemsIn(part)) <= fewItems) small.push(part);
  if (small.length < 2) return { joined: 0, removed: await remove(folder, compacted) };
  const isJoined = await joinParts(store, small, signal).catch((error: unknown) => {
    throw systemFault(error, `${folder}: nothing was joined`);
  });
  return isJoined ? { joined: small.length, removed: await remove(folder, compacted) } : { joined: 0, removed: 0 };
}

/** False where another compaction was faster. */
async function joinParts(store: string, small: readonly string[], signal: AbortSignal | undefined): Promise<boolean> {
  const draft = claimFolder(recordsFolder(store));
  try {
    const writer = new PartWriter(draft);
    for (const part of small) await copyRecords(part, writer, signal);
    await writeFile(join(draft, compactedName), JSON.stringify(small.map((part) => Number(basename(part)))), { flush: true });
    await writer.finish();
    for (;;) {
      const now = (await allParts(store)).current;
      if (small.some((part) => !now.includes(part))) return false;
      if (await publish(draft, nextPart(store, now))) return true;
    }
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function itemsIn(part: string): Promise<number> {
  const runs = await readTable(tableFile(part, 'runs'), { columns: ['cells'] });
  const verdicts = await readTable(tableFile(part, 'verdicts'), { columns: ['comparisons'] });
  return [...runs.map(({ cells }) => cells), ...verdicts.map(({ comparisons }) => comparisons)].reduce<number>(
    (sum, items) => sum + Number(items),
    0,
  );
}

async function remove(folder: string, parts: readonly string[]): Promise<number> {
  try {
    for (const part of parts) await rm(part, { recursive: true, force: true });
  } catch (error) {
    throw systemFault(error, `${folder}: parts that were joined before could not be removed`);
  }
  return parts.length;
}

async function copyRecords(part: string, writer: PartWriter, signal: AbortSignal | undefined): Promise<void> {
  const runs = await readTable(tableFile(part, 'runs'), {
    columns: ['run', 'key', 'source', 'addedAt', 'replaces', 'firstCell', 'cells', 'json'],
  });
  const cellsJson = await jsonOf(part, 'cells');
  for (const { run: id, key, source, addedAt, replaces, firstCell, cells, json } of runs) {
    signal?.throwIfAborted();
    const itemsJson = cellsJson.slice(Number(firstCell), Number(firstCell) + Number(cells));
    const run = readRun({ ...parsed(json), cells: itemsJson.map(parsed) }, String(source));
    const record = { id: String(id), key: String(key), json: bytesOf(json), itemsJson: itemsJson.map(bytesOf), run };
    await writer.push(record, { source: String(source), addedAt: Number(addedAt), replaces: replaces === null ? null : String(replaces) });
  }
  const verdicts = await readTable(tableFile(part, 'verdicts'), {
    columns: ['verdict', 'key', 'source', 'addedAt', 'firstComparison', 'comparisons', 'json'],
  });
  const comparisonsJson = await jsonOf(part, 'comparisons');
  for (const { verdict: id, key, source, addedAt, firstComparison, comparisons, json } of verdicts) {
    signal?.throwIfAborted();
    const itemsJson = comparisonsJson.slice(Number(firstComparison), Number(firstComparison) + Number(comparisons));
    const verdict = readVerdict({ ...parsed(json), comparisons: itemsJson.map(parsed) }, String(source));
    const record = { id: String(id), key: String(key), json: bytesOf(json), itemsJson: itemsJson.map(bytesOf), verdict };
    await writer.push(record, { source: String(source), addedAt: Number(addedAt), replaces: null });
  }
}

type Stored = string | number | boolean | null;

async function jsonOf(part: string, table: TableName): Promise<readonly Stored[]> {
  return (await readTable(tableFile(part, table), { columns: ['json'] })).map(({ json }) => json);
}

function parsed(json: Stored): object {
  return JSON.parse(String(json)) as object;
}

function bytesOf(json: Stored): Uint8Array {
  return Buffer.from(String(json));
}
