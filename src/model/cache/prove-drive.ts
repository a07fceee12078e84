import type { OpenModel } from '../../contract/adapter.ts';
import type { Tensors } from '../../contract/tensor.ts';
import { numbersOf } from '../sites/mask-sources.ts';
import type { Cache } from './cache.ts';
import { cacheFault, call, firstTokens, idsIn, lastLogits, nextCall, tokensIn } from './drive.ts';
import { lastRow } from './rows.ts';

/** New tokens of the two ways. */
const mostTokens = 16;

/**
 * Why a model cannot be decoded token by token through its cache; undefined where it can: behind a cache of all tokens but the last, the last one
 * must give what it gives in one call with them, and the cache must be handed on byte for byte. A wrong mask, position or pairing shows here,
 * before anything rests on it.
 * @param feeds of one call, with two new tokens at least
 * @param tolerance the most that the last token may differ, a share of its size
 * @throws what the runtime says where the first call does not run
 */
export async function driveFault(model: OpenModel, cache: Cache, feeds: Tensors, tolerance: number): Promise<string | undefined> {
  const roles = Object.values(cache.roles);
  if (!roles.includes('ids')) return 'it has no input of token ids';
  if (!cache.parts.some(({ axis }) => axis !== null)) return 'no part of its cache takes new tokens';
  if (tokensIn(cache, feeds) < 2) return 'the items of the data have a single token each';
  const count = Math.min(mostTokens, tokensIn(cache, feeds));
  const whole = firstTokens(cache, feeds, count);
  const before = firstTokens(cache, whole, count - 1);
  const [atOnce, handed] = [await call(model, whole), await call(model, before)];
  const step = nextCall(cache, before, handed, lastRow(idsIn(cache, whole), 1));
  const stepped = await call(model, step).catch((error: unknown) => error as Error);
  if (stepped instanceof Error) return `it does not run behind its cache: ${stepped.message.split('\n')[0]}`;
  const lost = cacheFault(cache, step, stepped as Tensors);
  if (lost !== undefined) return lost;
  const difference = differenceOf(seen(cache, atOnce), seen(cache, stepped as Tensors));
  if (difference <= tolerance) return undefined;
  return `the last of ${count} tokens differs by ${Number(difference.toPrecision(2))} of its size between a call behind the cache and one call over all of them`;
}

/** What the last token gave: its logits, or without logits the whole cache. */
function seen(cache: Cache, outputs: Tensors): Float32Array[] {
  if (cache.logits !== null) return lastLogits(cache, outputs);
  return cache.parts.filter(({ axis }) => axis !== null).map(({ output }) => numbersOf(outputs[output]!));
}

/** ‖one − other‖ / ‖one‖ over all of them. */
function differenceOf(one: readonly Float32Array[], other: readonly Float32Array[]): number {
  let [error, norm] = [0, 0];
  one.forEach((values, place) =>
    values.forEach((value, at) => {
      error += (value - other[place]![at]!) ** 2;
      norm += value ** 2;
    }),
  );
  return Math.sqrt(error / norm);
}
