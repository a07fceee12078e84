import type { ModelProto } from 'onnx-buf';
import type { OpenModel } from '../contract/adapter.ts';
import type { Item, RunnableModel } from '../contract/data.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Tensors } from '../contract/tensor.ts';
import { openProto } from '../model/open-proto.ts';
import { itemDrift } from '../quality/drift.ts';
import type { ItemDrift } from '../quality/drift.ts';
import { summariseDrift } from '../quality/drift-summary.ts';
import type { DriftSummary } from '../quality/drift-summary.ts';
import { judgeDrift } from '../quality/judge-drift.ts';
import { figureText } from '../quality/judgement.ts';
import type { QualityJudgement } from '../quality/judgement.ts';
import { estimatePaired, judgePaired } from '../quality/paired.ts';
import type { PairedEstimate } from '../quality/paired.ts';
import type { Migration } from './migration.ts';

/** Items whose whole outputs are compared: outputs may be large, and a few tell. */
const driftItemsPerLength = 1;
/** Outputs of the same mathematics in another order of sums stay within this. */
const exactRelativeError = 1e-4;

/** A model's quality beside the original's. */
export interface CandidateQuality {
  readonly drift: DriftSummary;
  /** Null without a task. */
  readonly task: PairedEstimate | null;
  readonly judgement: QualityJudgement;
}

export function openOriginal({ sites, file, runner }: Migration): Promise<OpenModel> {
  return openProto(sites.proto, file, runner);
}

function runnable(model: OpenModel): RunnableModel {
  return {
    run: async (feeds) => {
      const bound = model.bind(feeds);
      await bound.run();
      return bound.outputs();
    },
  };
}

/** The task's score of every item; null without a task. @throws INVALID_DATA where the module's answer is none */
export async function scoresOf({ data }: Migration, model: OpenModel, items: readonly Item[]): Promise<number[] | null> {
  if (data.evaluate === undefined) return null;
  const scores = [...(await data.evaluate(runnable(model), items))];
  if (scores.length === items.length && scores.every(Number.isFinite)) return scores;
  throw new AttnswapError(
    'INVALID_DATA',
    `evaluate gave ${scores.length} scores for ${items.length} items, expected a finite number for each`,
  );
}

/**
 * How good a changed model is on items: drift of its outputs, and the task's scores, paired item by item. The task decides; where
 * there is none, or only the order of sums changed (`exact`), the drift does, and the task is not run.
 */
export async function qualityOf(
  migration: Migration,
  proto: ModelProto,
  { items, base, exact }: { readonly items: readonly Item[]; readonly base: readonly number[] | null; readonly exact: boolean },
): Promise<CandidateQuality> {
  const { settings, file, runner } = migration;
  const original = await openOriginal(migration);
  const changed = await openProto(proto, file, runner).catch(async (error: unknown) => {
    await original.dispose();
    throw error;
  });
  try {
    const drift = await driftBetween(original, changed, items, settings.seed);
    const scores = base === null || exact || drift.state === 'fault' ? null : await scoresOf(migration, changed, items);
    const task = scores === null || base === null ? null : estimatePaired({ base, new: scores }, { seed: settings.seed });
    return { drift, task, judgement: judge(settings.qualityMargin, { drift, task, exact }) };
  } finally {
    await Promise.all([original.dispose(), changed.dispose()]);
  }
}

function judge(
  margin: number,
  { drift, task, exact }: Omit<CandidateQuality, 'judgement'> & { readonly exact: boolean },
): QualityJudgement {
  if (exact && drift.state === 'measured')
    return judgeExact(
      drift.outputs.map(({ largestRelativeError }) => largestRelativeError ?? 0),
      drift.items,
    );
  if (task === null) return judgeDrift(drift, { relativeError: margin });
  return judgePaired(task, margin * Math.max(task.base, Number.MIN_VALUE));
}

/** The same mathematics: no item speaks for others, so each must stay within what rounding explains. */
function judgeExact(errors: readonly number[], items: number): QualityJudgement {
  const largest = Math.max(...errors);
  const outcome = largest <= exactRelativeError ? 'pass' : 'regression';
  const reason = `the same mathematics: outputs of ${items} items differ by at most ${figureText(largest)} of their size, ${exactRelativeError} is allowed`;
  return { outcome, reason, marginsLost: largest / exactRelativeError };
}

/** Drift of a changed model's outputs on the first items of each length. */
export async function driftBetween(original: OpenModel, changed: OpenModel, items: readonly Item[], seed: number): Promise<DriftSummary> {
  return summariseDrift(await driftsOf(runnable(original), runnable(changed), firstOfEachLength(items)), { seed });
}

function firstOfEachLength(items: readonly Item[]): Item[] {
  return Object.values(Object.groupBy(items, ({ length }) => String(length))).flatMap((same) => same?.slice(0, driftItemsPerLength) ?? []);
}

async function driftsOf(original: RunnableModel, changed: RunnableModel, items: readonly Item[]): Promise<ItemDrift[]> {
  const drifts: ItemDrift[] = [];
  for (const { id, feeds } of items) {
    const expected = await original.run(feeds);
    const outcome = await changed.run(feeds).catch((error: unknown) => error as Error);
    drifts.push(
      outcome instanceof Error ? { state: 'fault', item: id, reason: outcome.message } : itemDrift(id, expected, outcome as Tensors),
    );
  }
  return drifts;
}
