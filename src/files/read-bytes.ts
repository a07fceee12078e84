import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { AttnswapError } from '../contract/errors.ts';
import { systemReason } from './system-reason.ts';

/** The error for a file that cannot be used. */
export type Refusal = (path: string, problem: string) => AttnswapError;

/** How long a file may be, and what to do about a longer one. */
export interface SizeLimit {
  readonly bytes: number;
  readonly hint: string;
}

/**
 * Opens an untrusted file for reading. A pipe or a device is refused before it is opened, and should one be put there
 * in between, opening does not wait for a writer.
 * @throws FILE_UNREADABLE; `irregular` where it is no regular file
 */
export async function openRegular(
  path: string,
  irregular: Refusal = unreadable,
): Promise<{ readonly file: FileHandle; readonly bytes: number }> {
  const problem = 'not a regular file';
  const file = await readable(path, async () => {
    if (!(await stat(path)).isFile()) throw irregular(path, problem);
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  });
  const found = await file.stat();
  if (found.isFile()) return { file, bytes: found.size };
  await file.close();
  throw irregular(path, problem);
}

/** Reads `length` bytes from `position`. @throws FILE_UNREADABLE; `short` where the file ends before */
export async function readAt(
  file: FileHandle,
  path: string,
  { position, length, short }: { readonly position: number; readonly length: number; readonly short: Refusal },
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readable(path, async () => new Uint8Array(length));
  for (let done = 0; done < length;) {
    const at = done;
    const { bytesRead } = await readable(path, () => file.read(bytes, at, Math.min(length - at, 2 ** 30), position + at));
    if (bytesRead === 0) throw short(path, `ends at byte ${position + done}, expected ${position + length}`);
    done += bytesRead;
  }
  return bytes;
}

/** Runs a step that reads; what goes wrong names the file. */
export async function readable<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw error instanceof AttnswapError ? error : unreadable(path, systemReason(error), error);
  }
}

/** Reads a regular file whole. @throws FILE_UNREADABLE; INVALID_DATA where it holds more than `most` bytes */
export async function readBytes(path: string, most: SizeLimit): Promise<Uint8Array<ArrayBuffer>> {
  const { file, bytes } = await openRegular(path);
  try {
    if (bytes > most.bytes) throw invalidData(path, `is ${bytes} bytes long, expected at most ${most.bytes}`, { hint: most.hint });
    return await readable(path, async () => new Uint8Array(await file.readFile()));
  } finally {
    await file.close();
  }
}

/** Reads a text file. @throws FILE_UNREADABLE; INVALID_DATA where it is too long or not UTF-8 */
export async function readText(path: string, most: SizeLimit): Promise<string> {
  const bytes = await readBytes(path, most);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw invalidData(path, 'is not UTF-8', { hint: 'iconv -t UTF-8', cause: error });
  }
}

function unreadable(path: string, problem: string, cause?: unknown): AttnswapError {
  return new AttnswapError('FILE_UNREADABLE', `${path}: ${problem}`, { hint: 'check the path', cause });
}

function invalidData(path: string, problem: string, options: { hint: string; cause?: unknown }): AttnswapError {
  return new AttnswapError('INVALID_DATA', `${path}: ${problem}`, options);
}
