import { randomUUID } from 'node:crypto';
import { close, fsync, openSync, unlinkSync, writeFile } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { AttnswapError } from '../contract/errors.ts';
import { systemReason } from './system-reason.ts';

/** What a folder must have room for, bytes: a full one refuses less than that. */
const probeBytes = 65_536;

/** Whether there is a folder at a path. */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

/** A file that is to be written later can be: its folder is there, or made, and takes a file. @throws FILE_UNWRITABLE */
export async function requireWritableFile(path: string): Promise<void> {
  if (await isFolder(path)) throw unwritable(path, 'it is a folder, expected a file');
  await requireWritableFolder(dirname(path), path);
}

/** A folder that is to be written into is there, or made, and takes a file. @throws FILE_UNWRITABLE naming `path` */
export async function requireWritableFolder(folder: string, path = folder): Promise<void> {
  try {
    // Asked first: below a place that takes no folders, such as /proc, Node's own mkdir looks for one for ever.
    await tryWriting(await nearestFolder(folder));
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw unwritable(path, systemReason(error), error);
  }
}

/** The folder, or the first one above it that is there. */
async function nearestFolder(folder: string): Promise<string> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory() === true) return path;
    if (found !== undefined) throw new Error(`${path} is a file`);
    if (dirname(path) === path) return path;
  }
}

/** Writes a file into a folder. Its name is gone before anything is written, so that a kill leaves nothing. @throws what the system says */
export async function tryWriting(folder: string): Promise<void> {
  const path = join(folder, `.attnswap-${randomUUID()}`);
  const file = openSync(path, 'wx');
  try {
    unlinkSync(path);
    await promisify(writeFile)(file, new Uint8Array(probeBytes));
    await promisify(fsync)(file);
  } finally {
    await promisify(close)(file);
  }
}

function unwritable(path: string, reason: string, cause?: unknown): AttnswapError {
  return new AttnswapError('FILE_UNWRITABLE', `${path}: cannot be written: ${reason}`, {
    hint: 'free some space or choose another place',
    cause,
  });
}
