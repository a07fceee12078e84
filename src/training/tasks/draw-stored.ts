import { RandomStream } from '../../inputs/random.ts';
import type { ItemsRequest } from './check-request.ts';
import { requestError } from './check-request.ts';
import { drawDistinct } from './draws.ts';

/**
 * Which of `stored` items are given, in random order. Training goes through all of them again and again, each time in another order; validation
 * and test never repeat one, as scores of the same item twice would pretend to more evidence than there is.
 * @throws INVALID_PARAMETERS where more are wanted than there are
 */
export function drawStored(task: string, stored: number, { split, count, seed }: ItemsRequest): Int32Array {
  if (stored === 0) throw requestError(task, `it has no ${split} item`);
  if (split !== 'train' && count > stored) throw requestError(task, `${count} ${split} items, expected at most ${stored}`);
  const stream = new RandomStream(seed, `${task}/${split}`);
  const chosen = new Int32Array(count);
  for (let at = 0; at < count; at += stored) chosen.set(drawDistinct(stream, stored, stored).subarray(0, count - at), at);
  return chosen;
}
