import type { RandomStream } from '../../inputs/random.ts';
import { parameterObject, readParameters, wholeNumber } from '../../variants/parameter-types.ts';
import type { ParametersOf } from '../../variants/parameter-types.ts';
import type { Task } from '../task.ts';
import { requestError } from './check-request.ts';
import { drawBelow, drawDistinct } from './draws.ts';
import { drawnTask } from './drawn-task.ts';
import type { ItemBuffers } from './drawn-task.ts';
import { taskName } from './task-name.ts';

const largest = 16_384;
const recallSchema = parameterObject({
  /** Pairs of a sequence, each asked for once. */
  pairs: wholeNumber(1, largest),
  length: wholeNumber(2, largest),
  /** Different keys. */
  keys: wholeNumber(1, largest),
  /** Different values. */
  values: wholeNumber(2, largest),
});
export type RecallParameters = ParametersOf<typeof recallSchema>;

const blank = 0;

/** The least distance from a value to the position that asks for it: half the length, rounded up. L causal layers of window w look back L·(w − 1). */
export function shortestGap({ length }: Pick<RecallParameters, 'length'>): number {
  return Math.ceil(length / 2);
}

/**
 * Multi-query associative recall (Arora et al. 2023, «Zoology», section 3.1): `pairs` of a key and a value, then blanks, then every key once more, in
 * random order at random places among blanks. Keys of a sequence differ; values are drawn evenly and may repeat. Where a key stands again its value
 * is the answer, and the value's own position is `relevant`: reading it there is the last step of any solution. Tokens: 0 blank, 1 … keys, then
 * values. What is nearer than {@link shortestGap} says nothing about the answer, so that without it accuracy is exactly chance.
 * @throws INVALID_PARAMETERS
 */
export function recall(given: RecallParameters): Task {
  const parameters = readParameters('recall', recallSchema, given);
  const { pairs, length, keys, values } = parameters;
  const name = taskName('recall', parameters);
  const firstQuery = 2 * pairs - 1 + shortestGap(parameters);
  if (pairs > keys) throw requestError(name, `${pairs} pairs need ${pairs} keys, got ${keys}`, `keys=${pairs}`);
  if (firstQuery + pairs > length)
    throw requestError(name, `${pairs} pairs do not fit into length ${length} with a gap of half that length`, `length=${6 * pairs}`);
  return drawnTask({
    name,
    summary: `the values of ${pairs} keys, each asked for at least ${shortestGap(parameters)} positions later`,
    vocabulary: 1 + keys + values,
    classes: values,
    length,
    chance: 1 / values,
    draw: (stream, item) => drawSequence(stream, item, { ...parameters, firstQuery }),
  });
}

function drawSequence(stream: RandomStream, item: ItemBuffers, at: RecallParameters & { readonly firstQuery: number }): void {
  const { pairs, length, keys, values, firstQuery } = at;
  const { tokens, targets, relevant } = item;
  tokens.fill(blank);
  const key = drawDistinct(stream, pairs, keys);
  const place = drawDistinct(stream, pairs, length - firstQuery);
  for (let pair = 0; pair < pairs; pair++) {
    const value = drawBelow(stream, values);
    const query = firstQuery + place[pair]!;
    tokens[2 * pair] = tokens[query] = 1 + key[pair]!;
    tokens[2 * pair + 1] = 1 + keys + value;
    targets[query] = value;
    relevant[query] = [2 * pair + 1];
  }
}
