import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeTensors } from '../data/tensor-files.ts';
import { threadCount } from '../processes/cpu-quota.ts';
import { itemsOf } from './items.ts';
import type { Migration } from './migration.ts';
import type { RanksOptions } from './subject.ts';

/** An item to train on. */
export interface TrainingFile {
  readonly file: string;
  /** Tokens. */
  readonly length: number;
}

/** The training items, a file each. */
export async function trainingFiles(migration: Migration): Promise<TrainingFile[]> {
  const folder = resolve(migration.state.folder, 'recovered', 'items');
  await mkdir(folder, { recursive: true });
  const files: TrainingFile[] = [];
  for (const [at, { feeds, length }] of (await itemsOf(migration, 'training')).entries()) {
    const file = join(folder, `${at}.safetensors`);
    if (!existsSync(file)) await writeTensors(file, feeds);
    files.push({ file, length });
  }
  return files;
}

/** What some steps train on, a batch after another; items are taken in turn. */
export function batchesOf(files: readonly TrainingFile[], steps: { readonly from: number; readonly to: number; readonly batch: number }) {
  const { from, to, batch } = steps;
  return Array.from({ length: (to - from) * batch }, (_, at) => files[(from * batch + at) % files.length]!);
}

/** Ranks share the processors: each has as many threads as one that is compared with them. */
export function ranksOptions({ settings, signal }: Pick<Migration, 'settings' | 'signal'>, ranks: number): RanksOptions {
  const { ranks: together, deepspeed } = settings.recover!;
  const shared = Math.max(1, Math.floor(threadCount() / together));
  return { ranks, threads: settings.threads ?? shared, deepspeed, signal };
}
