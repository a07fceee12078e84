import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import type { ErrorCode } from '../contract/errors.ts';
import { readRun } from '../contract/run.ts';
import type { RunRecord } from '../contract/run.ts';
import { replaceFile } from '../inputs/whole-file.ts';

/** Larger records than this are refused: 1000 cells with samples are a few MB. */
const maximumBytes = 256 * 2 ** 20;

/**
 * Writes a record whole: to a temporary file beside it, flushed, then renamed. Whatever happens, the path holds the old
 * record or the new one.
 * @throws FILE_UNWRITABLE
 */
export async function writeRun(path: string, record: RunRecord): Promise<void> {
  await writeWhole(path, `${JSON.stringify(record, null, 1)}\n`);
}

/** @throws FILE_UNWRITABLE */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await replaceFile(path, [typeof content === 'string' ? new TextEncoder().encode(content) : content]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AttnswapError('FILE_UNWRITABLE', `${path}: could not be written: ${reason}`, {
      hint: 'free some space, or name another file with --out',
      cause: error,
    });
  }
}

/** @throws FILE_UNREADABLE, INVALID_RUN */
export async function loadRun(path: string): Promise<RunRecord> {
  return readRun(await readJson(path, 'INVALID_RUN'), path);
}

/**
 * The JSON of a file of at most 256 MiB.
 * @throws FILE_UNREADABLE, and `invalid` where it is too large or not JSON
 */
export async function readJson(path: string, invalid: ErrorCode): Promise<unknown> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > maximumBytes) throw new AttnswapError(invalid, `${path}: ${size} bytes, expected at most ${maximumBytes}`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof AttnswapError) throw error;
    throw new AttnswapError('FILE_UNREADABLE', `${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new AttnswapError(invalid, `${path}: not JSON: ${(error as Error).message}`, { cause: error });
  }
}
