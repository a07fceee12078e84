import { RandomStream } from '../../inputs/random.ts';
import { oneOf, parameterObject, readParameters, wholeNumber } from '../../variants/parameter-types.ts';
import type { ParametersOf } from '../../variants/parameter-types.ts';
import type { Split, Task, TaskItems } from '../task.ts';
import { checkRequest } from './check-request.ts';
import { imageDrawer, imageTokens, tokensOf } from './digit-images.ts';
import type { DigitImage } from './digit-images.ts';
import { drawBelow } from './draws.ts';
import { taskName } from './task-name.ts';

const sides = [14, 28] as const;
const fields = {
  frames: wholeNumber(2, 64),
  /** Frames at the end in which nothing moves. */
  rest: wholeNumber(1),
  /** Pixels a side of the images; a frame is what is within their margin, a seventh on either side. */
  side: oneOf(sides),
};
const clipsSchema = parameterObject(fields, ({ frames, rest }) => (rest < frames ? undefined : 'rest must be below frames'));
export type ClipsParameters = ParametersOf<typeof clipsSchema>;

const patch = 2;
/** Patches a side of an image, and of the frame in the middle of it: a twentieth of what is not black lies in the margin. */
const inImage = (side: number) => side / patch;
const inFrame = (side: number) => (5 * inImage(side)) / 7;
/** Where a digit comes from, as rows and columns of patches: left, right, above, below. */
const origins = [
  { down: 0, right: -1 },
  { down: 0, right: 1 },
  { down: -1, right: 0 },
  { down: 1, right: 0 },
] as const;

/**
 * A handwritten digit comes into the picture from one of four sides and stops in the middle: which digit, and from where? Frames of patches of 2 × 2
 * pixels in black and white, row by row. The answer, digit · 4 + origin, is asked for in the middle of the last frame. The last `rest` frames are
 * alike: attention that carries nothing there from before them can tell the digit, but is right about its origin once in four. Not causal.
 * @throws INVALID_PARAMETERS; `items` INVALID_DATA without its package
 */
export function clips(given: ClipsParameters): Task {
  const parameters = readParameters('clips', clipsSchema, given);
  const { frames, rest, side } = parameters;
  const name = taskName('clips', { frames, rest, side });
  const across = inFrame(side);
  const length = frames * across ** 2;
  const draw = imageDrawer('clips', (image) => stillOf(image, side));
  const items = async (split: Split, count: number, seed: number): Promise<TaskItems> => {
    checkRequest({ name, length }, { split, count, seed });
    const images = await draw({ split, count, seed });
    const stream = new RandomStream(seed, `clips/${split}/origins`);
    const tokens = new Int32Array(count * length);
    const targets = new Int32Array(count * length).fill(-1);
    for (const [item, { digit, tokens: still }] of images.entries()) {
      const origin = drawBelow(stream, origins.length);
      tokens.set(clip(still, origin, parameters), item * length);
      targets[item * length + middleOf(frames, across)] = digit * origins.length + origin;
    }
    return { items: count, length, tokens, targets };
  };
  const sizes = {
    vocabulary: tokensOf(patch),
    classes: 10 * origins.length,
    length,
    grid: { sizes: [frames, across, across], globals: 0 },
  };
  const summary = `digits that move through ${frames} frames of ${across} × ${across} patches`;
  return { name, summary, ...sizes, causal: false, metric: 'accuracy', chance: 1 / (10 * origins.length), items };
}

/** The token in the middle of the last frame. */
function middleOf(frames: number, across: number): number {
  const middle = Math.floor(across / 2);
  return (frames - 1) * across ** 2 + middle * across + middle;
}

/** An image without its margin, row by row. */
function stillOf(image: DigitImage, side: number): Int32Array {
  const whole = imageTokens(image, { side, patch });
  const [across, margin] = [inFrame(side), inImage(side) / 7];
  return Int32Array.from({ length: across ** 2 }, (_, at) => {
    const [row, column] = [Math.floor(at / across) + margin, (at % across) + margin];
    return whole[row * inImage(side) + column]!;
  });
}

/** All frames of a digit that comes to rest as `still`. */
function clip(still: Int32Array, origin: number, { frames, rest, side }: ClipsParameters): Int32Array {
  const across = inFrame(side);
  const tokens = new Int32Array(frames * across * across);
  const { down, right } = origins[origin]!;
  // A frame brings a digit two fifths of the picture nearer.
  const step = (2 * across) / 5;
  for (let frame = 0; frame < frames; frame++) {
    const away = step * Math.max(0, frames - rest - frame);
    for (let row = 0; row < across; row++)
      for (let column = 0; column < across; column++) {
        const from = { row: row - down * away, column: column - right * away };
        const isInside = [from.row, from.column].every((at) => at >= 0 && at < across);
        if (isInside) tokens[(frame * across + row) * across + column] = still[from.row * across + from.column]!;
      }
  }
  return tokens;
}
