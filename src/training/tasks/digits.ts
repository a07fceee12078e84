import { oneOf, optional, parameterObject, readParameters } from '../../variants/parameter-types.ts';
import type { ParametersOf } from '../../variants/parameter-types.ts';
import type { Split, Task, TaskItems } from '../task.ts';
import { checkRequest } from './check-request.ts';
import { imageDrawer, imageTokens, sides, tokensOf } from './digit-images.ts';
import type { ShownImage } from './digit-images.ts';
import { taskName } from './task-name.ts';

const fields = {
  side: oneOf(sides),
  /** Pixels a side of a patch, which is one token; a pixel is a token where absent. */
  patch: optional(oneOf([2])),
};
const digitsSchema = parameterObject(fields, ({ side, patch = 1 }) =>
  side % patch === 0 ? undefined : 'side must be a multiple of patch',
);
export type DigitsParameters = ParametersOf<typeof digitsSchema>;

/**
 * Handwritten digits (MNIST, LeCun et al. 1998; 10 000 of them) as sequences: a class token, at whose position the digit is asked for, then pixels row by
 * row in 16 levels of grey, 15 the brightest, or patches of 2 × 2 pixels in black and white. Not causal.
 * @throws INVALID_PARAMETERS; `items` INVALID_DATA without its package
 */
export function digits(given: DigitsParameters): Task {
  const { side, patch = 1 } = readParameters('digits', digitsSchema, given);
  const name = taskName('digits', patch === 1 ? { side } : { side, patch });
  const across = side / patch;
  const length = across ** 2 + 1;
  // Not by its full name: the same seed gives the same training images, whatever their side.
  const draw = imageDrawer('digits', (image) => imageTokens(image, { side, patch }));
  const items = async (split: Split, count: number, seed: number): Promise<TaskItems> => {
    checkRequest({ name, length }, { split, count, seed });
    return sequences(await draw({ split, count, seed }), { length, classToken: tokensOf(patch) });
  };
  const patches = patch === 1 ? '' : `, in patches of ${patch} × ${patch}`;
  const sizes = { vocabulary: tokensOf(patch) + 1, classes: 10, length, grid: { sizes: [across, across], globals: 1 } };
  return { name, summary: `digits of ${side} × ${side} pixels${patches}`, ...sizes, causal: false, metric: 'accuracy', chance: 0.1, items };
}

function sequences(images: readonly ShownImage[], { length, classToken }: { length: number; classToken: number }): TaskItems {
  const tokens = new Int32Array(images.length * length);
  const targets = new Int32Array(images.length * length).fill(-1);
  for (const [item, image] of images.entries()) {
    tokens[item * length] = classToken;
    tokens.set(image.tokens, item * length + 1);
    targets[item * length] = image.digit;
  }
  return { items: images.length, length, tokens, targets };
}
