import { parameterObject, readParameters, wholeNumber } from '../../variants/parameter-types.ts';
import type { ParametersOf } from '../../variants/parameter-types.ts';
import type { Split, Task, TaskItems } from '../task.ts';
import { checkRequest } from './check-request.ts';
import { characters, drawPlaces } from './novel.ts';
import type { Place } from './novel.ts';
import { taskName } from './task-name.ts';

const proseSchema = parameterObject({ length: wholeNumber(64, 16_384) });
export type ProseParameters = ParametersOf<typeof proseSchema>;

/**
 * The next character of a novel, asked for at every position ({@link drawPlaces}).
 * @throws INVALID_PARAMETERS; `items` INVALID_DATA without its package
 */
export function prose(given: ProseParameters): Task {
  const { length } = readParameters('prose', proseSchema, given);
  const name = taskName('prose', { length });
  const items = async (split: Split, count: number, seed: number): Promise<TaskItems> => {
    const request = { split, count, seed };
    checkRequest({ name, length }, request);
    return cut(drawPlaces({ ...request, family: 'prose', name, length }), length);
  };
  const sizes = { vocabulary: characters, classes: characters, length };
  return { name, summary: 'the next character of a novel', ...sizes, causal: true, metric: 'bits', chance: Math.log2(characters), items };
}

function cut(places: readonly Place[], length: number): TaskItems {
  const tokens = new Int32Array(places.length * length);
  const targets = new Int32Array(places.length * length);
  for (const [item, { chapter, start }] of places.entries()) {
    tokens.set(chapter.subarray(start, start + length), item * length);
    targets.set(chapter.subarray(start + 1, start + length + 1), item * length);
  }
  return { items: places.length, length, tokens, targets };
}
