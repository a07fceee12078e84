import { existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import { requireWritableFolder } from '../files/writable.ts';
import { claimFolder } from '../processes/temporary.ts';
import { KnownRecords } from './known.ts';
import { TableWriter } from './parquet.ts';
import { nextPart, partsOf, recordsFolder, tableFile } from './parts.ts';
import { loadStorable } from './record.ts';
import type { StorableRecord } from './record.ts';
import { tables } from './tables.ts';

/** What became of a file. `known`: the same content is there; `superseded`: a later state of the same run is. */
export interface AddedFile {
  readonly file: string;
  readonly id: string;
  readonly kind: 'run' | 'verdict';
  readonly outcome: 'added' | 'known' | 'superseded';
  /** Cells or comparisons. */
  readonly items: number;
}

export interface AddHooks {
  readonly signal?: AbortSignal | undefined;
  /** Called before each file. */
  readonly onFile?: ((file: string, done: number) => void) | undefined;
}

/**
 * Adds records to a store: all of them or, whatever happens, none. They are written beside the parts, and their folder then takes the next
 * number, which only one of several processes can: the others look again at what is new, so that no content is there twice.
 * @throws FILE_UNREADABLE, INVALID_RUN, INVALID_VERDICT, INVALID_STORE, FILE_UNWRITABLE, INTERRUPTED
 */
export async function addRecords(store: string, files: readonly string[], hooks: AddHooks = {}): Promise<AddedFile[]> {
  const folder = recordsFolder(store);
  await requireWritableFolder(folder);
  for (;;) {
    const parts = await partsOf(store);
    const known = await KnownRecords.read(parts);
    const draft = claimFolder(folder);
    try {
      const added = await writePart(draft, files, known, hooks);
      if (!added.some(({ outcome }) => outcome === 'added') || (await publish(draft, nextPart(store, parts)))) return added;
    } catch (error) {
      throw isSystemError(error) ? unwritable(folder, error) : error;
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
}

async function writePart(draft: string, files: readonly string[], known: KnownRecords, { signal, onFile }: AddHooks): Promise<AddedFile[]> {
  const part = new PartWriter(draft);
  const added: AddedFile[] = [];
  for (const [done, file] of files.entries()) {
    signal?.throwIfAborted();
    onFile?.(file, done);
    const record = await loadStorable(file);
    const standing = await known.take(record);
    if (typeof standing === 'object') await part.push(record, file, standing.replaces);
    added.push({
      file,
      id: record.id,
      kind: 'run' in record ? 'run' : 'verdict',
      outcome: typeof standing === 'object' ? 'added' : standing,
      items: record.itemsJson.length,
    });
  }
  await part.finish();
  return added;
}

/** The tables of one part. */
class PartWriter {
  private readonly draft: string;
  private readonly addedAt = Date.now();
  private readonly runs;
  private readonly cells;
  private readonly verdicts;
  private readonly comparisons;

  constructor(draft: string) {
    this.draft = draft;
    this.runs = new TableWriter(tableFile(draft, 'runs'), tables.runs);
    this.cells = new TableWriter(tableFile(draft, 'cells'), tables.cells);
    this.verdicts = new TableWriter(tableFile(draft, 'verdicts'), tables.verdicts);
    this.comparisons = new TableWriter(tableFile(draft, 'comparisons'), tables.comparisons);
  }

  async push(record: StorableRecord, source: string, replaces: string | null): Promise<void> {
    const { id, key, json, itemsJson } = record;
    const origin = { id, key, json, source, addedAt: this.addedAt };
    if ('run' in record) {
      await this.runs.push({ ...origin, run: record.run, firstCell: this.cells.count, replaces });
      for (const [index, cell] of record.run.cells.entries()) await this.cells.push({ id, cell, json: itemsJson[index]! });
    } else {
      await this.verdicts.push({ ...origin, verdict: record.verdict, firstComparison: this.comparisons.count });
      for (const [index, comparison] of record.verdict.comparisons.entries())
        await this.comparisons.push({ id, comparison, json: itemsJson[index]! });
    }
  }

  /** All of it is on the disk. */
  async finish(): Promise<void> {
    for (const table of [this.runs, this.cells, this.verdicts, this.comparisons]) await table.finish();
    await syncFolder(this.draft);
  }
}

/** Gives the draft its number; false where another process has just taken that. */
async function publish(draft: string, part: string): Promise<boolean> {
  try {
    await rename(draft, part);
  } catch (error) {
    // A folder with files in it is never replaced: the name is taken.
    if (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '') && existsSync(part)) return false;
    throw error;
  }
  await syncFolder(dirname(part));
  return true;
}

/** What a folder lists is on the disk, where the system can tell it to. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

function unwritable(folder: string, error: NodeJS.ErrnoException): AttnswapError {
  return new AttnswapError('FILE_UNWRITABLE', `${folder}: nothing was added: ${error.message}`, {
    hint: 'free some space or choose another folder with --store',
    cause: error,
  });
}
