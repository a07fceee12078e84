import type { OpenModel } from '../contract/adapter.ts';
import type { Item } from '../contract/data.ts';
import type { Tensors } from '../contract/tensor.ts';
import { AttnswapError } from '../contract/errors.ts';
import { firstTokens, idsIn, largestAt, tokensIn } from '../model/cache/drive.ts';
import { Follower } from '../model/cache/follower.ts';
import { usingModel } from '../model/file/open-proto.ts';
import { agreesOnTop, bitsOf, divergenceOfLogits } from '../quality/distributions.ts';
import { judgeGeneration, summariseGeneration } from '../quality/generation.ts';
import type { GeneratedItem, GenerationSummary } from '../quality/generation.ts';
import type { QualityJudgement } from '../quality/judgement.ts';
import type { Exactness } from './exactness.ts';
import type { Migration } from './migration.ts';
import { doesNotRun } from './original-outputs.ts';

/** What a candidate generates beside the original; without a summary where it does not run, or gives no numbers. */
export interface Generation {
  readonly summary: GenerationSummary | null;
  readonly judgement: QualityJudgement;
}

interface Wanted {
  readonly items: readonly Item[];
  readonly exactness: Exactness | null;
}

/**
 * Runs both models token by token through their caches, behind the beginning of each item. Its last tokens, as many as are to be generated, are
 * the text that both are then held against, one token at a time; behind the same prompt, each also chooses as many tokens greedily.
 */
export async function generationOf(
  migration: Migration,
  open: () => Promise<OpenModel>,
  { items, exactness }: Wanted,
): Promise<Generation> {
  const { subject, settings } = migration;
  const prompts = promptsOf(migration, items);
  return usingModel(subject.open(), (original) =>
    usingModel(open(), async (changed) => {
      const found: GeneratedItem[] = [];
      for (const prompt of prompts) {
        const generated = await generate(migration, prompt, { original, changed });
        if ('fault' in generated) {
          const reason = `generation is faulty: item ${prompt.item.id}: ${generated.fault}`;
          return { summary: null, judgement: { outcome: 'regression', reason, marginsLost: Infinity } };
        }
        found.push(generated);
      }
      const summary = summariseGeneration(found, settings.seed);
      return { summary, judgement: judgeGeneration(summary, { margin: settings.qualityMargin, exact: exactness !== null }) };
    }),
  );
}

/** The beginning of an item, and the tokens that follow it there. */
interface Prompt {
  readonly item: Item;
  readonly feeds: Tensors;
  readonly ids: readonly number[];
}

/** @throws INVALID_DATA where no item has tokens left for a prompt, or one has several batch elements */
export function promptsOf({ cache, settings }: Pick<Migration, 'cache' | 'settings'>, items: readonly Item[]): Prompt[] {
  const count = settings.generate!;
  const long = items.filter(({ feeds }) => tokensIn(cache!, feeds) > count);
  if (long.length === 0)
    throw new AttnswapError('INVALID_DATA', `--generate ${count}: no item is longer than ${count} tokens, expected some for a prompt too`, {
      hint: 'use longer --lengths, or generate fewer tokens',
    });
  const several = long.find(({ feeds }) => idsIn(cache!, feeds).dims[0] !== 1);
  if (several !== undefined)
    throw new AttnswapError(
      'INVALID_DATA',
      `--generate: item ${several.id} has ${idsIn(cache!, several.feeds).dims[0]} batch elements, expected 1`,
    );
  return long.map((item) => {
    const tokens = tokensIn(cache!, item.feeds) - count;
    const ids = Array.from(idsIn(cache!, item.feeds).data.subarray(tokens), Number);
    return { item, feeds: firstTokens(cache!, item.feeds, tokens), ids };
  });
}

type Both = { readonly original: OpenModel; readonly changed: OpenModel };

async function generate(
  { cache, data, state, signal }: Migration,
  { item, feeds, ids }: Prompt,
  { original, changed }: Both,
): Promise<GeneratedItem | { readonly fault: string }> {
  signal?.throwIfAborted();
  const [expected, actual] = [original, changed].map((model) => new Follower(model, cache!, feeds)) as [Follower, Follower];
  let isOriginal = true;
  const ofOriginal = async <Result>(work: Promise<Result>) => {
    isOriginal = true;
    const result = await work.catch((error: unknown) => Promise.reject(doesNotRun(item.id, error)));
    isOriginal = false;
    return result;
  };
  const base = await state.step(`generation/${item.id}`, () => ofOriginal(greedyBehind(expected, ids.length)));
  await ofOriginal(expected.begin());
  const divergences: number[] = [];
  const bits = { base: 0, new: 0 };
  let agreed = 0;
  try {
    await actual.begin();
    for (const [at, id] of ids.entries()) {
      const [one, other] = [expected.logits, actual.logits];
      if (!other.every(Number.isFinite)) return { fault: `its logits at position ${at} are not finite` };
      divergences.push(divergenceOfLogits(one, other));
      agreed += agreesOnTop(one, other) ? 1 : 0;
      bits.base += bitsOf(one, id);
      bits.new += bitsOf(other, id);
      if (at === ids.length - 1) continue;
      await ofOriginal(expected.follow(id));
      await actual.follow(id);
    }
    const greedy = { base, new: await greedyBehind(actual, ids.length) };
    const bytes = data.textOf === undefined ? null : Buffer.byteLength(await data.textOf(ids));
    return { item: item.id, greedy, divergences, agreement: agreed / ids.length, bits, bytes };
  } catch (error) {
    // Ctrl-C reaches workers too: how they end is then no result.
    signal?.throwIfAborted();
    // A candidate's fault has no code, or is the refusal that a hosted model makes of it.
    if (isOriginal || (error instanceof AttnswapError && error.code !== 'UNSUPPORTED')) throw error;
    return { fault: (error as Error).message.split('\n')[0]! };
  }
}

async function greedyBehind(decoder: Follower, count: number): Promise<number[]> {
  await decoder.begin();
  const ids = [largestAt(decoder.logits)];
  while (ids.length < count) {
    await decoder.follow(ids.at(-1)!);
    ids.push(largestAt(decoder.logits));
  }
  return ids;
}
