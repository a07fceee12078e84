import type { RandomStream } from '../../inputs/random.ts';

/** A whole number from 0, below `limit`. */
export function drawBelow(stream: RandomStream, limit: number): number {
  return Math.floor(limit * stream.uniform());
}

/** `count` different numbers from 0, below `limit`, in random order: the first steps of Durstenfeld's shuffle (1964). */
export function drawDistinct(stream: RandomStream, count: number, limit: number): Int32Array {
  const numbers = Int32Array.from({ length: limit }, (_, index) => index);
  for (let at = 0; at < count; at++) {
    const other = at + drawBelow(stream, limit - at);
    [numbers[at], numbers[other]] = [numbers[other]!, numbers[at]!];
  }
  return numbers.subarray(0, count);
}
