import { readFile, stat } from 'node:fs/promises';
import { AttnswapError } from '../contract/errors.ts';
import type { ErrorCode } from '../contract/errors.ts';
import { readable } from './read-bytes.ts';
import { writeWhole } from './whole-file.ts';

/** Larger records than this are refused: 1000 cells with samples are a few MB. */
const maximumBytes = 256 * 2 ** 20;

/**
 * The JSON of a file of at most 256 MiB.
 * @throws FILE_UNREADABLE, and `invalid` where it is too large or not JSON
 */
export async function readJson(path: string, invalid: ErrorCode): Promise<unknown> {
  const bytes = await readable(path, async () => {
    const { size } = await stat(path);
    if (size > maximumBytes) throw new AttnswapError(invalid, `${path}: ${size} bytes, expected at most ${maximumBytes}`);
    return await readFile(path);
  });
  try {
    // Bytes that are no text would be read as others.
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (error) {
    throw new AttnswapError(invalid, `${path}: not JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** Writes a value as JSON, whole: whatever happens, the path holds the old document or the new one. @throws FILE_UNWRITABLE */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeWhole(path, `${JSON.stringify(value, null, 1)}\n`);
}
