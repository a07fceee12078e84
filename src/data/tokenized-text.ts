import { RandomStream } from '../inputs/random.ts';
import { invalidData } from './check-tensor.ts';
import type { TextTokenizer } from './tokenizer.ts';

/** A text as tokens, and the places in it where a passage may begin. */
export interface TokenizedText {
  readonly ids: readonly number[];
  /** Indices into `ids`, rising: beginnings of words some 400 characters apart. */
  readonly starts: readonly number[];
}

/** Up to 400 characters that end before white space; 400 in any case where there is none. */
const pieces = /[^]{1,400}(?=\s)|[^]{1,400}/gu;

/** Turns a text into tokens piece by piece, without special tokens. White space stands at a piece's beginning, where tokenizers want it. */
export function tokenizeText(text: string, tokenizer: TextTokenizer): TokenizedText {
  const ids: number[] = [];
  const starts: number[] = [];
  for (const [piece] of text.matchAll(pieces)) {
    const tokens = tokenizer.encode(piece);
    if (tokens.length > 0) starts.push(ids.length);
    for (const token of tokens) ids.push(token);
  }
  return { ids, starts };
}

/**
 * Chooses where `count` passages of `tokens` tokens begin: one drawn from each of `count` equal stretches of the text, in order.
 * @throws INVALID_DATA where the text has fewer places than passages
 */
export function placePassages(text: TokenizedText, wanted: { tokens: number; count: number; seed: number }): readonly number[] {
  const { tokens, count, seed } = wanted;
  const last = text.ids.length - tokens;
  const possible = text.starts.filter((start) => start <= last);
  if (possible.length < count)
    throw invalidData(
      'text',
      `its ${text.ids.length} tokens yield ${possible.length} passages of ${tokens} tokens, expected at least ${count}`,
      { hint: 'use a longer text, or ask for shorter or fewer passages' },
    );
  const stream = new RandomStream(seed, `passages/${tokens}`);
  return Array.from({ length: count }, (_, index) => {
    const from = Math.floor((index * possible.length) / count);
    const to = Math.floor(((index + 1) * possible.length) / count);
    return possible[from + Math.floor(stream.uniform() * (to - from))]!;
  });
}
