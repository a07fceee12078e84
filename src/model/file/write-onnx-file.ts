import { mkdir, realpath, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ModelProto } from 'onnx-buf';
import { AttnswapError } from '../../contract/errors.ts';
import { moveToExternal } from './external-data.ts';
import { externalPlaces, findExternalFiles, isWithin } from './external-files.ts';
import type { ExternalFile } from './external-files.ts';
import { invalidModel, quoted } from './invalid-model.ts';
import { bytesOf, modelParts } from './serialize-model.ts';
import { claim, copyAnew, createFile, linkOrCopy, replaceFile, targetOf } from '../../files/whole-file.ts';
import { systemReason } from '../../files/system-reason.ts';

export interface WriteOptions {
  /** What the protobuf may hold, bytes. */
  readonly maximumBytes?: number;
  /**
   * `link` takes no time and no space, and is for folders that are soon gone: the onnx package refuses files of weights
   * that have a second hard link, in both places.
   */
  readonly externalFiles?: 'copy' | 'link';
}

/** The file that a model was read from, and its external files. */
export interface ModelSource {
  readonly path: string;
  readonly externalFiles: readonly ExternalFile[];
}

/**
 * Writes a model whole: to a temporary file beside it, flushed, then renamed. External files of `from` are copied to the same places relative to the new file; one that lies there is kept where its content is the same.
 * Where the protobuf would exceed `maximumBytes`, initializers of 1 KiB and more go to `<name>.data` beside it. A
 * failure leaves nothing behind.
 * @throws FILE_UNWRITABLE; INVALID_MODEL where an external tensor's file is not there, or the model is too large
 */
export async function writeOnnxFile(
  path: string,
  proto: ModelProto,
  from?: ModelSource,
  { maximumBytes = 2 ** 31 - 1, externalFiles = 'copy' }: WriteOptions = {},
): Promise<void> {
  const created: string[] = [];
  try {
    const target = await targetOf(path);
    await bringExternalFiles({ path, target, proto, from, created, externalFiles });
    await replaceFile(target, await partsWithin(path, proto, { maximumBytes, created }));
  } catch (error) {
    for (const file of created) await rm(file, { force: true }).catch(() => undefined);
    if (error instanceof AttnswapError) throw error;
    throw new AttnswapError('FILE_UNWRITABLE', `${path}: could not be written: ${systemReason(error, path)}`, {
      hint: 'free some space or choose another file',
      cause: error,
    });
  }
}

interface Write {
  readonly path: string;
  readonly target: string;
  readonly proto: ModelProto;
  readonly from: ModelSource | undefined;
  /** Files made on the way, to be taken back should a later step fail. */
  readonly created: string[];
  readonly externalFiles: 'copy' | 'link';
}

async function bringExternalFiles({ path, target, proto, from, created, externalFiles }: Write): Promise<void> {
  const wanted = new Map(externalPlaces(proto, path).map(({ at, place }) => [at.location, place]));
  if (wanted.size === 0) return;
  const files = from?.externalFiles ?? (await findExternalFiles(proto, path));
  const folder = await realpath(dirname(path));
  for (const [location, place] of wanted) {
    const file = files.find((known) => known.location === location);
    if (file === undefined) throw invalidModel(path, `${place}: external file ${quoted(location)} is not one of ${from?.path ?? path}`);
    const destination = join(folder, location);
    if (file.path === target || destination === target)
      throw new AttnswapError('FILE_UNWRITABLE', `${path}: the model would overwrite its own external file`, {
        hint: 'choose another file',
      });
    if (destination !== file.path && (await bring(file, destination, { folder, externalFiles }))) created.push(destination);
  }
}

async function bring(
  file: ExternalFile,
  destination: string,
  { folder, externalFiles }: { readonly folder: string; readonly externalFiles: 'copy' | 'link' },
): Promise<boolean> {
  await mkdir(dirname(destination), { recursive: true });
  if (!isWithin(folder, await realpath(dirname(destination))))
    throw new AttnswapError('FILE_UNWRITABLE', `${destination}: its folder is a link to a place outside the model's folder`);
  const put = externalFiles === 'link' ? linkOrCopy : copyAnew;
  return await claim(destination, file.path, () => put(file.path, destination));
}

async function partsWithin(
  path: string,
  proto: ModelProto,
  { maximumBytes, created }: { readonly maximumBytes: number; readonly created: string[] },
): Promise<readonly Uint8Array[]> {
  const whole = modelParts(proto);
  if (bytesOf(whole) <= maximumBytes) return whole;
  const location = `${basename(path)}.data`;
  const moved = moveToExternal(proto, location);
  const parts = modelParts(moved.proto);
  if (bytesOf(parts) > maximumBytes)
    throw invalidModel(
      path,
      `the protobuf has ${bytesOf(parts)} bytes without its large initializers, expected at most ${maximumBytes}`,
      'convert large Constant nodes to initializers first, for example with onnxsim',
    );
  const data = join(dirname(path), location);
  if (await createFile(data, moved.parts)) created.push(data);
  return parts;
}
