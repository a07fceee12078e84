import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RandomStream } from '../inputs/random.ts';
import { writeSafetensors } from '../inputs/safetensors.ts';
import type { Split, TaskItems } from '../training/task.ts';
import { writeItems } from '../training/write-items.ts';
import type { TuningWork } from './work.ts';

/** Where a file of a tuning is to lie; its folder exists. */
export async function fileAt({ state }: TuningWork, folder: string, name: string): Promise<string> {
  const directory = resolve(state.folder, folder);
  await mkdir(directory, { recursive: true });
  return join(directory, name);
}

/** The items of a split: training's own by seed, the others the same for all. */
export function itemsOf({ task, tuning }: TuningWork, split: Split, seed: number): Promise<TaskItems> {
  return task.items(split, tuning.items[split], split === 'train' ? seed : 0);
}

/** The same as a data file. */
export async function dataFile(work: TuningWork, split: Split, seed: number): Promise<string> {
  const path = await fileAt(work, 'data', `${split}-${split === 'train' ? seed : 0}.safetensors`);
  if (!existsSync(path)) await writeItems(path, await itemsOf(work, split, seed));
  return path;
}

/** The batches of one epoch: all training items in an order of their own, but for a last batch that would be smaller. */
export async function orderFile(work: TuningWork, seed: number, epoch: number): Promise<string> {
  const { items, training } = work.tuning;
  const steps = stepsOf(work);
  const order = Int32Array.from({ length: items.train }, (_, index) => index);
  const stream = new RandomStream(seed, `order/${epoch}`);
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(stream.uniform() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  const path = await fileAt(work, 'data', 'order.safetensors');
  const shape = [steps, training.batch];
  await writeSafetensors(path, { order: { dtype: 'I32', shape, data: order.slice(0, steps * training.batch) } }, {});
  return path;
}

/** Steps of an epoch. */
export function stepsOf({ tuning: { items, training } }: TuningWork): number {
  return Math.max(1, Math.floor(items.train / training.batch));
}
