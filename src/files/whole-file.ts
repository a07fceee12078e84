import { constants, createReadStream } from 'node:fs';
import { copyFile, link, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import { draftIn } from '../processes/temporary.ts';
import { systemReason } from './system-reason.ts';

/** Writes a file whole: beside it first, flushed, then put in its place; a failure leaves what was there. */
export async function replaceFile(target: string, parts: readonly Uint8Array[]): Promise<void> {
  await viaTemporary(target, parts, (temporary) => rename(temporary, target));
}

/** Writes a file whole, and the folders that it lies in. @throws FILE_UNWRITABLE */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await replaceFile(path, [typeof content === 'string' ? new TextEncoder().encode(content) : content]);
  } catch (error) {
    throw new AttnswapError('FILE_UNWRITABLE', `${path}: could not be written: ${systemReason(error)}`, {
      hint: 'free some space or choose another file with --out',
      cause: error,
    });
  }
}

/**
 * Writes a file that is not there yet.
 * @returns whether it was written: not where the very same content lies there already
 * @throws FILE_UNWRITABLE where another file lies there
 */
export async function createFile(target: string, parts: readonly Uint8Array[]): Promise<boolean> {
  return await viaTemporary(target, parts, async (temporary) => {
    const written = await claim(target, temporary, () => linkOrCopy(temporary, target));
    await rm(temporary);
    return written;
  });
}

/** A second name for a file, or a copy where the file system has no such names. It fails where something is there. */
export async function linkOrCopy(source: string, target: string): Promise<void> {
  await link(source, target).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') throw error;
    await copyAnew(source, target);
  });
}

/** Where the file system can, a copy shares its blocks with the original until one of them changes. It fails where something is there. */
export async function copyAnew(source: string, target: string): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
}

/**
 * Puts a file at `target` by `put`, which fails where something is there.
 * @returns false where the content of `source` lies there already
 * @throws FILE_UNWRITABLE where another file lies there
 */
export async function claim(target: string, source: string, put: () => Promise<void>): Promise<boolean> {
  try {
    await put();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (await sameContent(source, target)) return false;
    const hint = 'write the model to another folder or under another name';
    throw new AttnswapError('FILE_UNWRITABLE', `${target}: another file is already there, expected none or identical content`, {
      hint,
      cause: error,
    });
  }
}

async function viaTemporary<T>(target: string, parts: readonly Uint8Array[], put: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = draftIn(dirname(target));
  const file = await open(temporary, 'wx');
  try {
    try {
      for (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    return await put(temporary);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

async function sameContent(a: string, b: string): Promise<boolean> {
  const [first, second] = [await stat(a), await stat(b)];
  if (!second.isFile() || first.size !== second.size) return false;
  if (first.ino === second.ino && first.dev === second.dev) return true;
  const chunkBytes = 2 ** 20;
  const others = createReadStream(b, { highWaterMark: chunkBytes })[Symbol.asyncIterator]();
  for await (const chunk of createReadStream(a, { highWaterMark: chunkBytes })) {
    const other = await others.next();
    if (other.done === true || !(chunk as Buffer).equals(other.value as Buffer)) {
      await others.return?.();
      return false;
    }
  }
  return true;
}

/** The file that `path` leads to through links. A pipe or a device is refused: renaming would put a file in its place. */
export async function targetOf(path: string): Promise<string> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return path;
  if (!found.isFile()) throw new TypeError('not a regular file');
  return await realpath(path);
}
