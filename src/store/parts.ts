import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import { readJson } from '../files/json.ts';
import { recordReader } from '../files/read-record.ts';
import { requireWhole } from './checksums.ts';
import { readTable } from './parquet.ts';
import type { Row } from './parquet.ts';
import type { TableName } from './tables.ts';
import { systemReason } from '../files/system-reason.ts';

/** The folder of records in a store. Each folder in it is a part: what one `store add` brought or `store compact` joined, never changed again. */
export function recordsFolder(store: string): string {
  return join(store, 'records');
}

function partFolder(store: string, number: number): string {
  return join(recordsFolder(store), String(number).padStart(6, '0'));
}

/** Where the part after all of these will lie. */
export function nextPart(store: string, parts: readonly string[]): string {
  return partFolder(store, Number(basename(parts.at(-1) ?? '0')) + 1);
}

/** A table's file in a part. */
export function tableFile(part: string, table: TableName): string {
  return join(part, `${table}.parquet`);
}

/** In a part that a compaction made: the numbers of the parts that it holds the records of. */
export const compactedName = 'compacted.json';

/** Folders of a store's parts, oldest first; none where nothing was added yet. @throws FILE_UNREADABLE, INVALID_STORE */
export async function partsOf(store: string): Promise<string[]> {
  return (await allParts(store)).current;
}

/** The parts that are read, and those whose records a later one holds. @throws FILE_UNREADABLE, INVALID_STORE */
export async function allParts(store: string): Promise<{ readonly current: string[]; readonly compacted: string[] }> {
  const folder = recordsFolder(store);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new AttnswapError('FILE_UNREADABLE', `${folder}: ${systemReason(error)}`, { hint: 'check the path', cause: error });
  });
  const numbers = names.filter((name) => /^\d{6,}$/.test(name)).map(Number);
  const parts = numbers.toSorted((a, b) => a - b).map((number) => partFolder(store, number));
  const held = new Set((await Promise.all(parts.map(heldIn))).flat());
  const isHeld = (part: string) => held.has(Number(basename(part)));
  return { current: parts.filter((part) => !isHeld(part)), compacted: parts.filter(isHeld) };
}

const restore = { hint: 'restore the file from a copy of the store' };
const readHeld = recordReader(z.array(z.int().min(1)), { code: 'INVALID_STORE', ...restore });

async function heldIn(part: string): Promise<number[]> {
  const file = join(part, compactedName);
  if (!existsSync(file)) return [];
  const numbers = readHeld(await readJson(file, 'INVALID_STORE'), file);
  // What is named here is removed: never the part itself, nor a later one.
  const wrong = numbers.find((number) => number >= Number(basename(part)));
  if (wrong !== undefined) throw new AttnswapError('INVALID_STORE', `${file}: names part ${wrong}, expected parts before its own`, restore);
  await requireWhole(file);
  return numbers;
}

/** A row with the part that it lies in. */
export type PartRow<Name extends string> = Row<Name> & { readonly part: string };

/** Rows of a table from all parts, in the order in which they were added. @throws FILE_UNREADABLE, INVALID_STORE */
export async function rowsOf<Name extends string>(
  parts: readonly string[],
  table: TableName,
  columns: readonly Name[],
): Promise<PartRow<Name>[]> {
  const rows: PartRow<Name>[] = [];
  for (const part of parts) {
    for (const row of await readTable(tableFile(part, table), { columns })) rows.push({ ...row, part });
  }
  return rows;
}
