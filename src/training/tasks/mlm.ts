import { RandomStream } from '../../inputs/random.ts';
import { parameterObject, readParameters, wholeNumber } from '../../variants/parameter-types.ts';
import type { ParametersOf } from '../../variants/parameter-types.ts';
import type { Split, Task, TaskItems } from '../task.ts';
import { checkRequest } from './check-request.ts';
import { drawBelow, drawDistinct } from './draws.ts';
import { characters, drawPlaces } from './novel.ts';
import { taskName } from './task-name.ts';

const mlmSchema = parameterObject({ length: wholeNumber(64, 16_384) });
export type MlmParameters = ParametersOf<typeof mlmSchema>;

/** The share of positions that are asked for. */
const asked = 0.15;
/** What stands at a masked position. */
const maskToken = characters;

/**
 * Masked-language modeling as in BERT (Devlin et al. 2019), with the characters of a novel ({@link drawPlaces}): 15 % of the positions are asked
 * for. Of these, 80 % show a mask, 10 % a random character and 10 % their own. Not causal.
 * @throws INVALID_PARAMETERS; `items` INVALID_DATA without its package
 */
export function mlm(given: MlmParameters): Task {
  const { length } = readParameters('mlm', mlmSchema, given);
  const name = taskName('mlm', { length });
  const items = async (split: Split, count: number, seed: number): Promise<TaskItems> => {
    const request = { split, count, seed };
    checkRequest({ name, length }, request);
    const tokens = new Int32Array(count * length);
    const targets = new Int32Array(count * length).fill(-1);
    const stream = new RandomStream(seed, `${name}/${split}/masks`);
    for (const [item, { chapter, start }] of drawPlaces({ ...request, family: 'mlm', name, length }).entries()) {
      const [from, to] = [item * length, (item + 1) * length];
      tokens.set(chapter.subarray(start, start + length), from);
      mask(stream, tokens.subarray(from, to), targets.subarray(from, to));
    }
    return { items: count, length, tokens, targets };
  };
  const sizes = { vocabulary: characters + 1, classes: characters, length };
  return { name, summary: 'masked characters of a novel', ...sizes, causal: false, metric: 'bits', chance: Math.log2(characters), items };
}

/** Masks one item's tokens in place, and writes what stood there into its targets. */
function mask(stream: RandomStream, tokens: Int32Array, targets: Int32Array): void {
  for (const at of drawDistinct(stream, Math.round(asked * tokens.length), tokens.length)) {
    targets[at] = tokens[at]!;
    const draw = stream.uniform();
    if (draw < 0.8) tokens[at] = maskToken;
    else if (draw < 0.9) tokens[at] = drawBelow(stream, characters);
  }
}
