import type { OpenModel } from '../contract/adapter.ts';
import type { Item } from '../contract/data.ts';
import type { Tensors } from '../contract/tensor.ts';
import type { Cache } from '../model/cache/cache.ts';
import { cacheFault, cacheSizeOf, call, firstTokens, greedyIds, idsIn, nextCall, tokensIn, withoutLast } from '../model/cache/drive.ts';
import { lastRow } from '../model/cache/rows.ts';
import { usingModel } from '../model/file/open-proto.ts';
import { itemDrift } from '../quality/drift.ts';
import type { ItemDrift } from '../quality/drift.ts';
import { summariseDrift } from '../quality/drift-summary.ts';
import type { DriftSummary } from '../quality/drift-summary.ts';
import { judgeDrift } from '../quality/judge-drift.ts';
import type { QualityJudgement } from '../quality/judgement.ts';
import type { Exactness } from './exactness.ts';
import type { Migration } from './migration.ts';
import { runOn } from './original-outputs.ts';
import { judge, judgeAsExact } from './quality-of.ts';
import { watchedDrift } from './watched.ts';

/** One token behind a cache. */
export interface Decoding {
  readonly feeds: Tensors;
  /** Of the cache, all batch elements. */
  readonly bytes: number;
  readonly bytesPerToken: number;
}

/** Tokens in the cache when a token is decoded behind an item of so many: one less where the model takes no more than those. */
export function cachedBehind({ longest }: Cache, tokens: number): number {
  return tokens === longest ? tokens - 1 : tokens;
}

/**
 * What a decoder is run on behind an item: the cache that the original makes of it, and the token that the original then chooses, or the item's
 * last one where it has no logits. An item as long as the model takes is decoded to its own last token.
 */
export async function decodingOf({ cache, outputs }: Migration, item: Item): Promise<Decoding> {
  return outputs.using(async (outputsOf) => decodingBehind(cache!, item, await outputsOf(item)));
}

function decodingBehind(cache: Cache, { feeds }: Item, handed: Tensors): Decoding {
  const tokens = tokensIn(cache, feeds);
  const cached = cachedBehind(cache, tokens);
  if (cached < tokens) {
    const before = withoutLast(cache, handed);
    const last = lastRow(idsIn(cache, feeds), 1);
    return { feeds: nextCall(cache, firstTokens(cache, feeds, cached), before, last), ...cacheSizeOf(cache, before) };
  }
  const ids = cache.logits === null ? lastRow(idsIn(cache, feeds), 1) : greedyIds(cache, feeds, handed);
  return { feeds: nextCall(cache, feeds, handed, ids), ...cacheSizeOf(cache, handed) };
}

/** How good a changed model is at one token behind the original's own cache. */
export interface DecodeQuality {
  readonly drift: DriftSummary;
  /** Null where a task decides instead. */
  readonly judgement: QualityJudgement | null;
}

interface DecodeRequest {
  readonly items: readonly Item[];
  /** Whether the user's task decides where outputs may differ. */
  readonly hasTask: boolean;
  readonly exactness: Exactness | null;
}

/** As `qualityOf`, of one token behind each item; a cache that is not handed on byte for byte is a fault. */
export async function decodeQualityOf(
  migration: Migration,
  open: () => Promise<OpenModel>,
  request: DecodeRequest,
): Promise<DecodeQuality> {
  const { hasTask, exactness } = request;
  const { subject, settings } = migration;
  const { items, watch } =
    hasTask && exactness === null ? { items: request.items, watch: null } : watchedDrift(settings, request.items, exactness);
  const drifts = await usingModel(subject.open(), (original) =>
    usingModel(open(), async (changed) => {
      const found: ItemDrift[] = [];
      for (const item of items) {
        const drift = await driftBehind(migration, item, { original, changed });
        found.push(drift);
        if (watch?.(drift) === true) break;
      }
      return found;
    }),
  );
  const drift = summariseDrift(drifts, { seed: settings.seed, of: watch === null ? undefined : items.length });
  if (drift.state === 'fault') return { drift, judgement: judgeDrift(drift, {}) };
  const exact = exactness && judgeAsExact(drift, exactness, { items: items.slice(0, drift.items), margin: settings.qualityMargin });
  return { drift, judgement: exact ?? (hasTask ? null : judge(settings.qualityMargin, { drift, task: null })) };
}

async function driftBehind(
  migration: Migration,
  item: Item,
  { original, changed }: { original: OpenModel; changed: OpenModel },
): Promise<ItemDrift> {
  const cache = migration.cache!;
  const { feeds } = await decodingOf(migration, item);
  const expected = await runOn(original, { ...item, feeds });
  const actual = await call(changed, feeds).catch((error: unknown) => error as Error);
  const fault = actual instanceof Error ? actual.message : cacheFault(cache, feeds, actual);
  return fault === undefined ? itemDrift(item.id, expected, actual as Tensors) : { state: 'fault', item: item.id, reason: fault };
}
