import type { OpenModel } from '../contract/adapter.ts';
import type { Item, RunnableModel } from '../contract/data.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Tensors } from '../contract/tensor.ts';
import { usingModel } from '../model/file/open-proto.ts';
import { itemDrift } from '../quality/drift.ts';
import type { ItemDrift } from '../quality/drift.ts';
import { summariseDrift } from '../quality/drift-summary.ts';
import type { DriftSummary, OutputDriftSummary } from '../quality/drift-summary.ts';
import { judgeDrift } from '../quality/judge-drift.ts';
import { judgeExact } from '../quality/judge-exact.ts';
import type { QualityJudgement } from '../quality/judgement.ts';
import { difference, estimatePaired, judgePaired } from '../quality/paired.ts';
import type { PairedEstimate } from '../quality/paired.ts';
import { watchPaired } from '../quality/watch.ts';
import type { Watch } from '../quality/watch.ts';
import { tunableMargins } from './decide.ts';
import type { Exactness } from './exactness.ts';
import { byChance } from './items.ts';
import type { Migration } from './migration.ts';
import type { OutputsOf } from './original-outputs.ts';
import { isWatched, watchedDrift } from './watched.ts';

/** Items whose whole outputs are compared where a task decides: outputs may be large, and a few tell. */
const driftItemsPerLength = 1;

/** A model's quality beside the original's. */
export interface CandidateQuality {
  readonly drift: DriftSummary;
  /** Null without a task. */
  readonly task: PairedEstimate | null;
  readonly judgement: QualityJudgement;
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

/** The original's scores, by the rules of {@link scoresOf}. */
export async function originalScores(migration: Migration, items: readonly Item[]): Promise<number[] | null> {
  if (migration.data.evaluate === undefined) return null;
  return usingModel(migration.subject.open(), (original) => scoresOf(migration, original, items));
}

/** Whether a task's items are scored one by one: every model's, so that a module whose scores depend on other items after all favours none. */
function isScoredInTurn({ settings, data }: Migration): boolean {
  return isWatched(settings) && data.itemByItem === true && data.range !== undefined;
}

/**
 * The task's score of every item; null without a task.
 * @param isEnough told each score of those that are scored in turn, with its place; whether the others are left out
 * @throws INVALID_DATA where the module's answer is none
 */
export async function scoresOf(
  migration: Migration,
  model: OpenModel,
  items: readonly Item[],
  isEnough?: (score: number, at: number) => boolean,
): Promise<number[] | null> {
  const { evaluate } = migration.data;
  if (evaluate === undefined) return null;
  if (!isScoredInTurn(migration)) return [...(await evaluate(runnable(model), items))];
  const scores: number[] = [];
  for (const item of items) {
    const [score] = await evaluate(runnable(model), [item]);
    scores.push(score!);
    if (isEnough?.(score!, scores.length - 1) === true) break;
  }
  return scores;
}

interface QualityRequest {
  readonly items: readonly Item[];
  /** The original's scores; null without a task. */
  readonly base: readonly number[] | null;
  /** What holds where the mathematics stays the same; null where it does not. */
  readonly exactness: Exactness | null;
}

/**
 * How good a changed model is on items: drift of its outputs, and the task's scores, paired item by item. Where only the order of sums
 * changed (`exactness`), the drift decides; else the task does, and the drift where there is none. Items are taken by chance, and no more of them than are needed. A model
 * that does not open, run or score loses without measure.
 */
export async function qualityOf(migration: Migration, open: () => Promise<OpenModel>, request: QualityRequest): Promise<CandidateQuality> {
  const { settings } = migration;
  const driftDecides = request.base === null || request.exactness !== null;
  const { items: compared, watch } = driftDecides
    ? watchedDrift(settings, request.items, request.exactness)
    : { items: firstOfEachLength(request.items), watch: null };
  return migration.outputs.using(async (outputsOf) => {
    const changed = await open().catch(asRefusal);
    if (changed instanceof AttnswapError) return unusable({ state: 'fault', items: compared.length, reasons: [changed.message] });
    return usingModel(Promise.resolve(changed), async () => {
      const drift = await driftBetween(outputsOf, changed, compared, { seed: settings.seed, watch });
      if (drift.state === 'fault') return unusable(drift);
      const exact =
        request.exactness &&
        judgeAsExact(drift, request.exactness, { items: compared.slice(0, drift.items), margin: settings.qualityMargin });
      if (exact !== null) return { drift, task: null, judgement: exact };
      const task = await taskOf(migration, changed, request).catch(asRefusal);
      if (task instanceof AttnswapError) return { drift, task: null, judgement: failedTask(task) };
      return { drift, task, judgement: judge(settings.qualityMargin, { drift, task, base: request.base }) };
    });
  });
}

async function taskOf(migration: Migration, changed: OpenModel, { items, base }: QualityRequest): Promise<PairedEstimate | null> {
  if (base === null) return null;
  const { settings, data } = migration;
  const { seed } = settings;
  const { range } = data;
  const allowed = allowedLoss(settings.qualityMargin, base);
  if (!isScoredInTurn(migration) || range === undefined || allowed === 0) {
    return estimatePaired({ base, new: (await scoresOf(migration, changed, items))! }, { seed, range });
  }
  const order = byChance(items, seed);
  const scoreOf = new Map(items.map((item, at) => [item, base[at]!] as const));
  const original = order.map((item) => scoreOf.get(item)!);
  const watch = watchPaired({ allowed, hopeless: tunableMargins * allowed }, range.high - range.low);
  const scores = (await scoresOf(migration, changed, order, (score, at) => watch(difference(score, original[at]!))))!;
  return estimatePaired({ base: original.slice(0, scores.length), new: scores }, { seed, range, of: items.length });
}

/** The largest loss of the mean score that passes. */
function allowedLoss(margin: number, base: readonly number[]): number {
  return margin * Math.abs(base.reduce((sum, score) => sum + score, 0) / base.length);
}

/** What a changed model is to blame for: the original opened, ran and scored on the same items. */
function asRefusal(error: unknown): AttnswapError {
  if (error instanceof AttnswapError && !error.code.startsWith('FILE_')) return error;
  throw error;
}

function unusable(drift: Extract<DriftSummary, { state: 'fault' }>): CandidateQuality {
  return { drift, task: null, judgement: judgeDrift(drift, {}) };
}

function failedTask({ message }: AttnswapError): QualityJudgement {
  return { outcome: 'regression', reason: `the task fails on the changed model: ${message}`, marginsLost: Infinity };
}

type MeasuredDrift = Extract<DriftSummary, { state: 'measured' }>;

/** Null where the outputs differ by more than rounding explains and that need not be a fault: then it is a swap like any other. */
export function judgeAsExact(
  drift: MeasuredDrift,
  { tolerance, exception }: Exactness,
  { items, margin }: { readonly items: readonly Item[]; readonly margin: number },
): QualityJudgement | null {
  const judged = judgeExact(drift, { tolerance, labels: margin, lengths: items.map(({ length }) => length) });
  return judged.outcome === 'pass' || exception === null ? judged : null;
}

interface Judged {
  readonly drift: MeasuredDrift;
  readonly task: PairedEstimate | null;
  /** The original's scores of all items, where the task may have taken fewer. */
  readonly base?: readonly number[] | null;
}

/** Quality by what was measured; `margin` is a share of the original's mean score, or of the size of outputs. */
export function judge(margin: number, { drift, task, base }: Judged): QualityJudgement {
  if (task === null) {
    const labels = drift.outputs.some(({ kind }) => kind === 'labels');
    return judgeDrift(drift, { relativeError: margin, ...(labels && { disagreement: margin }) });
  }
  const allowed = allowedLoss(margin, base ?? [task.base]);
  if (allowed > 0) return judgePaired(task, allowed);
  const reason = "the original's mean score is 0, so a relative margin is meaningless";
  return { outcome: 'inconclusive', reason, marginsLost: task.difference < 0 ? Infinity : 0 };
}

/** How far an output is from the original's, as one figure: its mean relative error; of labels, the share that is another. */
export function driftSize({ relativeError, agreement }: OutputDriftSummary): number {
  return relativeError?.mean ?? 1 - (agreement?.mean ?? 0);
}

/** Drift of a changed model's outputs on items: on all of them, or on as many as `watch` needs. */
export async function driftBetween(
  outputsOf: OutputsOf,
  changed: OpenModel,
  items: readonly Item[],
  { seed, watch = null }: { readonly seed: number; readonly watch?: Watch<ItemDrift> | null },
): Promise<DriftSummary> {
  const drifts: ItemDrift[] = [];
  for (const item of items) {
    const drift = await driftOn(outputsOf, runnable(changed), item);
    drifts.push(drift);
    if (watch?.(drift) === true) break;
  }
  return summariseDrift(drifts, { seed, of: watch === null ? undefined : items.length });
}

function firstOfEachLength(items: readonly Item[]): Item[] {
  return Object.values(Object.groupBy(items, ({ length }) => String(length))).flatMap((same) => same?.slice(0, driftItemsPerLength) ?? []);
}

async function driftOn(outputsOf: OutputsOf, changed: RunnableModel, item: Item): Promise<ItemDrift> {
  const expected = await outputsOf(item);
  const outcome = await changed.run(item.feeds).catch((error: unknown) => error as Error);
  if (outcome instanceof Error) return { state: 'fault', item: item.id, reason: outcome.message };
  return itemDrift(item.id, expected, outcome as Tensors);
}
