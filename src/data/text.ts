import type { ModelInput } from '../contract/adapter.ts';
import type { Item } from '../contract/data.ts';
import { invalidData } from './check-tensor.ts';
import { tokenFeeds } from './token-feeds.ts';
import { placePassages, tokenizeText } from './tokenized-text.ts';
import type { TextTokenizer } from './tokenizer.ts';

export interface TextRequest {
  readonly text: string;
  readonly tokenizer: TextTokenizer;
  /** The model's inputs; what each is fed says {@link tokenFeeds}. */
  readonly inputs: readonly ModelInput[];
  /** Tokens of a passage, special tokens among them. */
  readonly lengths: readonly number[];
  readonly itemsPerLength: number;
  readonly seed: number;
}

/**
 * Passages of exactly the wanted lengths from different places of a text, each within the special tokens that the tokenizer's
 * post-processor adds. The same request gives the same items; passages overlap only where the text is short.
 * @throws INVALID_DATA where the text is too short or the model's inputs are not made from tokens
 */
export function textItems({ text, tokenizer, inputs, lengths, itemsPerLength, seed }: TextRequest): readonly Item[] {
  const tokenized = tokenizeText(text, tokenizer);
  return lengths.flatMap((length) => {
    const tokens = bareTokens(length, tokenizer);
    return placePassages(tokenized, { tokens, count: itemsPerLength, seed }).map((start) => ({
      id: `text-${length}-at-${start}`,
      length,
      feeds: tokenFeeds([...tokenizer.before, ...tokenized.ids.slice(start, start + tokens), ...tokenizer.after], inputs),
    }));
  });
}

/** How many tokens of text a passage of `length` holds. @throws INVALID_DATA where that is none */
export function bareTokens(length: number, tokenizer: TextTokenizer): number {
  const special = tokenizer.before.length + tokenizer.after.length;
  if (Number.isSafeInteger(length) && length > special) return length - special;
  throw invalidData('text', `length is ${length}, expected a whole number above the tokenizer's ${special} special tokens`);
}
