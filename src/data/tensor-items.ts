import { basename } from 'node:path';
import type { ModelInput } from '../contract/adapter.ts';
import type { DataModule, Item } from '../contract/data.ts';
import { invalidData } from './check-tensor.ts';
import { dynamicSizes, lengthOf } from './item-length.ts';
import { readTensors } from './tensor-files.ts';

interface Measured {
  readonly id: string;
  readonly path: string;
  readonly length: number;
}

/**
 * Tensor files as data, one item a file, each named after its file. All are read and checked at once, and read again when asked
 * for, so that they need not fit in memory together. No lengths in a request stand for all that the files have.
 * @throws FILE_UNREADABLE, INVALID_SAFETENSORS, INVALID_DATA
 */
export async function tensorFileData(
  paths: readonly string[],
  inputs: readonly ModelInput[],
  dimension: string | undefined,
): Promise<DataModule> {
  const files: Measured[] = [];
  const distinct = new Set(paths.map((path) => basename(path))).size === paths.length;
  for (const path of paths) {
    const feeds = await readTensors(path);
    const length = lengthOf(dynamicSizes(feeds, inputs, path), dimension, path);
    files.push({ id: distinct ? basename(path) : path, path, length });
  }
  return { items: ({ lengths, itemsPerLength }) => readItems(files, lengths, itemsPerLength) };
}

async function readItems(files: readonly Measured[], lengths: readonly number[], itemsPerLength: number): Promise<readonly Item[]> {
  const present = [...new Set(files.map(({ length }) => length))].sort((a, b) => a - b);
  const items: Item[] = [];
  for (const wanted of lengths.length === 0 ? present : lengths) {
    const chosen = files.filter(({ length }) => length === wanted).slice(0, itemsPerLength);
    if (chosen.length === 0)
      throw invalidData('data', `no file has length ${wanted}; available: ${present.join(', ')}`, {
        hint: `--lengths ${present.join(',')}`,
      });
    for (const { id, path, length } of chosen) items.push({ id, length, feeds: await readTensors(path) });
  }
  return items;
}
