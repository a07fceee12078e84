import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { AttnswapError } from '../../contract/errors.ts';
import { invalidModel } from './invalid-model.ts';

/**
 * Opens an untrusted file for reading. A pipe or a device is refused before it is opened, and should one be put there
 * in between, opening does not wait for a writer.
 * @throws FILE_UNREADABLE, INVALID_MODEL
 */
export async function openRegular(path: string): Promise<{ readonly file: FileHandle; readonly bytes: number }> {
  const file = await readable(path, async () => {
    if (!(await stat(path)).isFile()) throw invalidModel(path, 'not a regular file, expected an ONNX file', 'pass the .onnx file itself');
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  });
  const found = await file.stat();
  if (found.isFile()) return { file, bytes: found.size };
  await file.close();
  throw invalidModel(path, 'not a regular file, expected an ONNX file');
}

/** Reads `length` bytes from `position`. @throws FILE_UNREADABLE; INVALID_MODEL where the file ends before */
export async function readAt(
  file: FileHandle,
  path: string,
  { position, length }: { readonly position: number; readonly length: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readable(path, async () => new Uint8Array(length));
  for (let done = 0; done < length;) {
    const at = done;
    const { bytesRead } = await readable(path, () => file.read(bytes, at, Math.min(length - at, 2 ** 30), position + at));
    if (bytesRead === 0) throw invalidModel(path, `ends at byte ${position + done}, expected ${position + length}`);
    done += bytesRead;
  }
  return bytes;
}

/** Runs a step that reads; what goes wrong names the file. */
export async function readable<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof AttnswapError) throw error;
    throw new AttnswapError('FILE_UNREADABLE', `${path}: ${(error as Error).message}`, { hint: 'check the path', cause: error });
  }
}
