import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { AttnswapError } from '../contract/errors.ts';
import { invalidData } from './check-tensor.ts';

/** How long a file may be, and what to do about a longer one. */
export interface SizeLimit {
  readonly bytes: number;
  readonly hint: string;
}

/**
 * Reads a regular file whole. A pipe is refused before it is opened, as opening it would wait for a writer.
 * @throws FILE_UNREADABLE; INVALID_DATA where it holds more than `most` bytes
 */
export async function readBytes(path: string, most: SizeLimit): Promise<Uint8Array<ArrayBuffer>> {
  try {
    if (!(await stat(path)).isFile()) throw new TypeError('not a regular file');
    return await readOpened(await open(path, 'r'), path, most);
  } catch (error) {
    if (error instanceof AttnswapError) throw error;
    throw new AttnswapError('FILE_UNREADABLE', `${path}: ${(error as Error).message}`, { hint: 'check the path', cause: error });
  }
}

async function readOpened(file: FileHandle, path: string, most: SizeLimit): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { size } = await file.stat();
    if (size > most.bytes) throw invalidData(path, `is ${size} bytes long, expected at most ${most.bytes}`, { hint: most.hint });
    return new Uint8Array(await file.readFile());
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
