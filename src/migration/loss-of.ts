import type { OpenModel } from '../contract/adapter.ts';
import type { Item } from '../contract/data.ts';
import { usingModel } from '../model/file/open-proto.ts';
import { itemsOf } from './items.ts';
import type { Migration } from './migration.ts';
import { driftBetween, driftSize, originalScores, scoresOf } from './quality-of.ts';
import { meanOf } from '../statistics/mean.ts';

/** What losses are counted in: scores of the original, or, without a task, relative drift. */
export interface LossScale {
  readonly scores: readonly number[] | null;
  /** Size of the mean score, or 1. */
  readonly size: number;
}

/** That of the calibration items, or of some of them. */
export async function lossScale(migration: Migration, some?: readonly Item[]): Promise<LossScale> {
  const items = await itemsOf(migration, 'calibration');
  const scale: LossScale = await migration.state.step('tune/scale', async () => {
    const scores = await originalScores(migration, items);
    return scores === null ? { scores, size: 1 } : { scores, size: Math.abs(meanOf(scores)) };
  });
  if (some === undefined || scale.scores === null) return scale;
  const scoreOf = new Map(items.map((item, at) => [item, scale.scores![at]!] as const));
  return { ...scale, scores: some.map((item) => scoreOf.get(item)!) };
}

/**
 * What a model loses on items: mean score below the original's, or, without a task, the mean relative error of its outputs. Infinity
 * where outputs are faulty.
 * @throws INVALID_MODEL, INVALID_DATA where it does not open, run or score
 */
export async function lossOf(
  migration: Migration,
  open: () => Promise<OpenModel>,
  { items, scale }: { readonly items: readonly Item[]; readonly scale: LossScale },
): Promise<number> {
  return usingModel(open(), async (changed) => {
    if (scale.scores === null) return driftLoss(migration, changed, items);
    const scores = await scoresOf(migration, changed, items);
    return Math.max(0, meanOf(scale.scores.map((score, at) => score - scores![at]!)));
  });
}

async function driftLoss(migration: Migration, changed: OpenModel, items: readonly Item[]): Promise<number> {
  const { outputs, settings } = migration;
  const drift = await outputs.using((outputsOf) => driftBetween(outputsOf, changed, items, { seed: settings.seed }));
  if (drift.state === 'fault') return Infinity;
  return Math.max(...drift.outputs.map(driftSize));
}
