import { fileURLToPath } from 'node:url';
import type { ModelInput } from '../../src/contract/adapter.ts';
import type { DataModule, Item, RunnableModel } from '../../src/contract/data.ts';
import { AttnswapError } from '../../src/contract/errors.ts';
import { bareTokens } from '../../src/data/text.ts';
import { tokenFeeds } from '../../src/data/token-feeds.ts';
import { placePassages, tokenizeText } from '../../src/data/tokenized-text.ts';
import type { TokenizedText } from '../../src/data/tokenized-text.ts';
import { openTokenizer } from '../../src/data/tokenizer.ts';
import type { TextTokenizer } from '../../src/data/tokenizer.ts';
import { readProse } from '../prose.ts';
import { cosine, sentenceEmbedding } from './embedding.ts';

/**
 * Passages of «Moby-Dick» for a sentence embedder such as `models/paraphrase-minilm-l3.onnx`. No one labelled them: that a passage is
 * nearer in meaning to the one that continues it than to others from elsewhere in the book is what stands in for a right answer.
 */
export const metric = 'share of 31 other passages of the book that are less similar than its own continuation';

const others = 31;
const inputs: readonly ModelInput[] = ['input_ids', 'attention_mask'].map((name) => ({ name, type: 'int64', dims: ['batch', 'sequence'] }));

/** Path of the tokenizer.json; MINILM_TOKENIZER names another. */
const tokenizerPath = process.env['MINILM_TOKENIZER'] ?? fileURLToPath(new URL('../../models/minilm-tokenizer.json', import.meta.url));

/** The book as tokens, read at the first need. */
let opened: Promise<{ text: TokenizedText; tokenizer: TextTokenizer }> | undefined;

async function openBook(): Promise<{ text: TokenizedText; tokenizer: TextTokenizer }> {
  const tokenizer = await openTokenizer(tokenizerPath).catch((error: unknown) => {
    throw new AttnswapError('INVALID_DATA', `MiniLM sample: ${(error as Error).message}`, {
      hint: 'npm run fetch-models, or MINILM_TOKENIZER=path/of/tokenizer.json',
      cause: error,
    });
  });
  return { tokenizer, text: tokenizeText(readProse(), tokenizer) };
}

/** Passages of 3 to 512 tokens, [CLS] and [SEP] among them. @throws INVALID_DATA without tokenizer or package, or for other lengths */
export const items: DataModule['items'] = async ({ lengths, itemsPerLength, seed }) => {
  const { text, tokenizer } = await (opened ??= openBook());
  return lengths.flatMap((length) => {
    if (length > 512)
      throw new AttnswapError('INVALID_DATA', `MiniLM sample: length is ${length}, expected at most 512, as the model has positions`);
    const tokens = bareTokens(length, tokenizer);
    // Twice as long, so that every passage has its continuation.
    const places = placePassages(text, { tokens: 2 * tokens, count: itemsPerLength, seed });
    return places.map((start): Item => {
      const feeds = feedsAt({ text, tokenizer }, start, tokens);
      return { id: `passage-${length}-at-${start}`, length, feeds, expected: { start } };
    });
  });
};

/** Runs the model on every item, its continuation, and per length on 31 passages that are the same in every run. */
export const evaluate: NonNullable<DataModule['evaluate']> = async (model, given) => {
  const book = await (opened ??= openBook());
  const elsewhere = new Map<number, readonly Embedded[]>();
  const scores: number[] = [];
  for (const { length, feeds, expected } of given) {
    const { start } = expected as { start: number };
    const tokens = bareTokens(length, book.tokenizer);
    const embed = async (at: number): Promise<Embedded> => ({ start: at, values: await embedding(model, feedsAt(book, at, tokens)) });
    if (!elsewhere.has(length)) elsewhere.set(length, await inOrder(placePassages(book.text, { tokens, count: others, seed: 0 }), embed));
    const own = sentenceEmbedding(await model.run(feeds));
    const next = cosine(own, (await embed(start + tokens)).values);
    // A passage that shares text with this one or its continuation is none from elsewhere.
    const far = elsewhere.get(length)!.filter((other) => other.start + tokens <= start || other.start >= start + 2 * tokens);
    scores.push(far.filter(({ values }) => cosine(own, values) < next).length / far.length);
  }
  return scores;
};

interface Embedded {
  readonly start: number;
  readonly values: Float32Array;
}

async function embedding(model: RunnableModel, feeds: Item['feeds']): Promise<Float32Array> {
  return sentenceEmbedding(await model.run(feeds)).slice();
}

async function inOrder<T, U>(values: readonly T[], step: (value: T) => Promise<U>): Promise<readonly U[]> {
  const results: U[] = [];
  for (const value of values) results.push(await step(value));
  return results;
}

function feedsAt({ text, tokenizer }: { text: TokenizedText; tokenizer: TextTokenizer }, start: number, tokens: number): Item['feeds'] {
  return tokenFeeds([...tokenizer.before, ...text.ids.slice(start, start + tokens), ...tokenizer.after], inputs);
}
