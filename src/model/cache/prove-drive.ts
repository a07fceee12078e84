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
 */
export async function driveFault(model: OpenModel, cache: Cache, feeds: Tensors, tolerance: number): Promise<string | undefined> {
  const roles = Object.values(cache.roles);
  if (!roles.includes('ids')) return 'it has no input of token ids';
  if (!cache.parts.some(({ axis }) => axis !== null)) return 'no part of its cache takes new tokens';
  const missing = model.inputs.find(({ name, optional }) => feeds[name] === undefined && optional !== true);
  if (missing !== undefined) return `the items of the data lack the input ${missing.name}`;
  if (tokensIn(cache, feeds) < 2) return 'the items of the data have a single token each';
  const count = Math.min(mostTokens, tokensIn(cache, feeds));
  const whole = firstTokens(cache, feeds, count);
  const before = firstTokens(cache, whole, count - 1);
  const last = lastRow(idsIn(cache, whole), 1);
  try {
    const [atOnce, handed] = [await call(model, whole), await call(model, before)];
    const step = nextCall(cache, before, handed, last);
    const stepped = await call(model, step);
    return cacheFault(cache, step, stepped) ?? difference(seen(cache, atOnce), seen(cache, stepped), { count, tolerance });
  } catch (error) {
    return `it does not run on the first ${count} tokens of an item, or behind its cache: ${(error as Error).message.split('\n')[0]}`;
  }
}

/** What the last token gave: its logits, or without logits the whole cache. */
function seen(cache: Cache, outputs: Tensors): Float32Array[] {
  if (cache.logits !== null) return lastLogits(cache, outputs);
  return cache.parts.filter(({ axis }) => axis !== null).map(({ output }) => numbersOf(outputs[output]!));
}

/** What is said of ‖one − other‖ / ‖one‖ over all of them; undefined within the tolerance. */
function difference(
  one: readonly Float32Array[],
  other: readonly Float32Array[],
  { count, tolerance }: { count: number; tolerance: number },
): string | undefined {
  let [error, norm] = [0, 0];
  one.forEach((values, place) =>
    values.forEach((value, at) => {
      error += (value - other[place]![at]!) ** 2;
      norm += value ** 2;
    }),
  );
  const relative = Math.sqrt(error / norm);
  if (relative <= tolerance) return undefined;
  return `the last of ${count} tokens differs by ${Number(relative.toPrecision(2))} of its size between a call behind the cache and one call over all of them`;
}
