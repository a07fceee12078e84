import { realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import type { ModelProto } from 'onnx-buf';
import { AttnswapError } from '../../contract/errors.ts';
import { expectedBytes, isExternal } from './check-tensor.ts';
import type { PlacedTensor } from './check-tensor.ts';
import { invalidModel, quoted } from './invalid-model.ts';
import { tensorsOf } from './walk-model.ts';

/** A file beside the model that holds tensors' data. */
export interface ExternalFile {
  /** As the model names it, relative to its own folder. */
  readonly location: string;
  /** Where it really lies, links followed. */
  readonly path: string;
  readonly bytes: number;
}

/** Where a tensor's data lie, bytes. */
export interface ExternalPlace {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

const maximumLocationLength = 4096;

/** Every external tensor's place, checked but for the files themselves. @throws INVALID_MODEL */
export function externalPlaces(model: ModelProto, path: string): readonly (PlacedTensor & { readonly at: ExternalPlace })[] {
  return [...tensorsOf(model)]
    .filter(({ tensor }) => isExternal(tensor))
    .map((placed) => ({ ...placed, at: externalPlaceOf(placed, path) }));
}

/** Where an external tensor says its data are; what it says of their length must agree with sizes and type. @throws INVALID_MODEL */
function externalPlaceOf(placed: PlacedTensor, path: string): ExternalPlace {
  const entries = new Map<string, string>();
  for (const { key, value } of placed.tensor.externalData) {
    if (entries.has(key)) throw invalidModel(path, `${placed.place}: external data sets ${quoted(key)} twice`);
    entries.set(key, value);
  }
  const length = expectedBytes(placed, path);
  const given = wholeNumber(entries.get('length') ?? String(length), { placed, path, what: 'length' });
  if (given !== length) throw invalidModel(path, `${placed.place}: external length is ${given}, expected ${length} for its sizes and type`);
  const offset = wholeNumber(entries.get('offset') ?? '0', { placed, path, what: 'offset' });
  return { location: checkedLocation(entries.get('location') ?? '', placed, path), offset, length };
}

function wholeNumber(
  text: string,
  { placed, path, what }: { readonly placed: PlacedTensor; readonly path: string; readonly what: string },
): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw invalidModel(path, `${placed.place}: external ${what} is ${quoted(text)}, expected a whole number`);
}

/** A location stays in the model's folder, on every system: no absolute path, no drive, no way up. */
function checkedLocation(location: string, { place }: PlacedTensor, path: string): string {
  const parts = location.split('/');
  const wanders = parts.some((part) => part === '' || part === '..') || isAbsolute(location) || /[\\\0]|^[a-z]:/i.test(location);
  if (!wanders && location.length <= maximumLocationLength) return location;
  throw invalidModel(
    path,
    `${place}: external location is ${quoted(location)}, expected a relative path within the model's folder, without '..'`,
    'save the model again with its weights in the same folder',
  );
}

/**
 * Finds the files that hold a model's external tensors, and checks that each is a regular file in the model's folder
 * and long enough.
 * @throws INVALID_MODEL
 */
export async function findExternalFiles(model: ModelProto, path: string): Promise<readonly ExternalFile[]> {
  const files = new Map<string, ExternalFile>();
  for (const { place, at } of externalPlaces(model, path)) {
    const file = files.get(at.location) ?? (await findFile(at.location, path, place));
    files.set(at.location, file);
    if (at.offset + at.length > file.bytes)
      throw invalidModel(
        path,
        `${place}: bytes ${at.offset} to ${at.offset + at.length} of ${quoted(at.location)}, which has ${file.bytes} bytes`,
        'the file is truncated: download it again',
      );
  }
  return [...files.values()].toSorted((a, b) => (a.location < b.location ? -1 : 1));
}

/**
 * A link is followed as far as the folder that the model is named in, or the one that its file really lies in: as in the cache of a hub,
 * where model and data are links to one folder of blobs. ONNX Runtime has the same rule.
 */
async function findFile(location: string, path: string, place: string): Promise<ExternalFile> {
  const folder = await realpath(dirname(path));
  const model = await realpath(path).catch(() => path);
  const real = await realpath(join(folder, location)).catch((error: unknown) => {
    throw new AttnswapError('INVALID_MODEL', `${path}: ${place}: external file ${quoted(location)}: ${(error as Error).message}`, {
      hint: 'put the weights file next to the model',
      cause: error,
    });
  });
  const found = await stat(real);
  if (!found.isFile()) throw invalidModel(path, `${place}: external file ${quoted(location)} is not a regular file`);
  if (!isWithin(folder, real) && !isWithin(dirname(model), real)) {
    const hint = 'copy the file into the model’s folder (cp -L) instead of linking to it';
    throw invalidModel(path, `${place}: external file ${quoted(location)} is a link to a file outside the model's folder`, hint);
  }
  if (real === model) throw invalidModel(path, `${place}: external location is the model's own file`);
  return { location, path: real, bytes: found.size };
}

/** Whether a real path lies in a real folder. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
