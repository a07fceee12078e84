import type { DataModule, Item } from '../../src/contract/data.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import { RandomStream } from '../../src/inputs/random.ts';
import { readProse } from '../prose.ts';
import { encoder } from './encoder.ts';
import { hop, logMel, sampleRate } from './log-mel.ts';
import { speak, voices } from './speak.ts';

/**
 * "Moby-Dick" read aloud, for the encoder that `write-encoder.ts` writes: a passage of 1500 tokens is 30 seconds of speech. There is no task, as
 * the encoder's weights are not trained: quality is how far the states that it gives are from the original's.
 */
const windowsPerToken = 2;
const tokensPerSecond = sampleRate / hop / windowsPerToken;
/** More than any of the voices says. */
const wordsPerSecond = 3.5;

/** Passages from places all over the book, each in one of the voices. @throws INVALID_DATA for lengths the encoder does not take, or without the sample's packages */
export const items: DataModule['items'] = async ({ lengths, itemsPerLength, seed }) => {
  const words = readProse().split(/\s+/);
  const found: Item[] = [];
  for (const length of lengths) {
    if (!Number.isSafeInteger(length) || length < 1 || length > encoder.frames)
      throw new AttnswapError(
        'INVALID_DATA',
        `speech sample: length is ${length}, expected 1 to ${encoder.frames} tokens, ${tokensPerSecond} a second`,
      );
    for (let index = 0; index < itemsPerLength; index += 1) found.push(await passage(words, length, { index, seed }));
  }
  return found;
};

async function passage(words: readonly string[], length: number, { index, seed }: { index: number; seed: number }): Promise<Item> {
  const stream = new RandomStream(seed, `speech/${length}/${index}`);
  const wanted = length * windowsPerToken * hop;
  const count = Math.ceil((wordsPerSecond * length) / tokensPerSecond) + 4;
  const start = Math.floor(stream.uniform() * (words.length - count));
  const voice = voices[index % voices.length]!;
  const sound = new Float32Array(wanted);
  sound.set((await speak(words.slice(start, start + count).join(' '), voice)).subarray(0, wanted));
  const features = { type: 'float32' as const, dims: [1, encoder.bands, windowsPerToken * length], data: logMel(sound, encoder.bands) };
  return { id: `${voice}-${length}-from-word-${start}`, length, feeds: { input_features: features } };
}
