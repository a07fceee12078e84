import type { Item } from '../contract/data.ts';
import type { Tensor } from '../contract/tensor.ts';

/** Tokens in a row that tell where a text comes from; shorter runs recur by chance. What Brown et al. 2020 look for a test set's text with. */
const run = 13;
/** Different values in such a run at least, and different steps from one to the next: masks, padding and positions tell nothing. */
const varied = 5;

/** Every run of tokens among an item's whole-number inputs, row by row: two items that have one in common share text. */
export function tokenRuns({ feeds }: Pick<Item, 'feeds'>): string[] {
  return Object.values(feeds).flatMap(({ type, dims, data }: Tensor) => {
    const length = dims.at(-1) ?? 1;
    if ((type !== 'int64' && type !== 'int32') || length < run) return [];
    const values = Array.from(data as ArrayLike<number | bigint>, String);
    return values.flatMap((_, at) => {
      const tokens = (at % length) + run <= length ? values.slice(at, at + run) : [];
      const steps = tokens.slice(1).map((token, before) => Number(token) - Number(tokens[before]));
      return [tokens, steps].some((each) => new Set<unknown>(each).size < varied) ? [] : tokens.join(' ');
    });
  });
}
