import { existsSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import { writeChecksums } from './checksums.ts';
import { TableWriter } from './parquet.ts';
import { tableFile } from './parts.ts';
import type { StorableRecord } from './record.ts';
import { tables } from './tables.ts';
import type { Origin } from './tables.ts';
import { systemReason } from '../files/system-reason.ts';

/** Where a record came from, and what it continues. */
interface RecordOrigin extends Pick<Origin, 'source' | 'addedAt'> {
  /** The id of an earlier state of the same run. */
  readonly replaces: string | null;
}

/** The tables of one part. */
export class PartWriter {
  private readonly draft: string;
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

  async push(record: StorableRecord, { replaces, ...origin }: RecordOrigin): Promise<void> {
    const { id, key, json, itemsJson } = record;
    const row = { id, key, json, ...origin };
    if ('run' in record) {
      await this.runs.push({ ...row, run: record.run, firstCell: this.cells.count, replaces });
      for (const [index, cell] of record.run.cells.entries()) await this.cells.push({ id, cell, json: itemsJson[index]! });
    } else {
      await this.verdicts.push({ ...row, verdict: record.verdict, firstComparison: this.comparisons.count });
      for (const [index, comparison] of record.verdict.comparisons.entries())
        await this.comparisons.push({ id, comparison, json: itemsJson[index]! });
    }
  }

  /** All of it is on the disk. */
  async finish(): Promise<void> {
    for (const table of [this.runs, this.cells, this.verdicts, this.comparisons]) await table.finish();
    await writeChecksums(this.draft);
    await syncFolder(this.draft);
  }
}

/** Gives the draft its number; false where another process has just taken that. */
export async function publish(draft: string, part: string): Promise<boolean> {
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

/** Makes of what the system says, such as that a disk is full, the error that a user sees; any other stays as it is. */
export function systemFault(error: unknown, what: string): unknown {
  if (!(error instanceof Error && 'syscall' in error)) return error;
  return new AttnswapError('FILE_UNWRITABLE', `${what}: ${systemReason(error)}`, {
    hint: 'free some space or choose another folder with --store',
    cause: error,
  });
}
