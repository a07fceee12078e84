import { addUp, countNgrams, requireReferences, withoutTrailingSpaces, wordsOf } from './ngrams.ts';
import type { Translation } from './ngrams.ts';

const order = 4;

/**
 * BLEU of a corpus, 0 to 100 (Papineni et al. 2002), as sacrebleu computes it by default: 13a tokens, n-grams up to 4, exponential smoothing of
 * orders without a match, the closest reference length. It is no mean of {@link sentenceBleu}.
 * @throws RangeError where there is nothing to score, or a translation has no reference
 */
export function corpusBleu(translations: readonly Translation[]): number {
  requireReferences(translations);
  return bleuOfSums(addUp(translations.map(bleuStatistics)));
}

/**
 * BLEU of one translation, 0 to 100, as sacrebleu's `sentence_bleu` computes it: orders that the hypothesis is too short for are left out.
 * @throws RangeError where it has no reference
 */
export function sentenceBleu(hypothesis: string, ...references: readonly string[]): number {
  const translation = { hypothesis, references };
  requireReferences([translation]);
  return bleuOf(bleuStatistics(translation), { effectiveOrder: true });
}

/** Length of the hypothesis, length of the closest reference, then of each order the n-grams matched and all of them. */
export function bleuStatistics({ hypothesis, references }: Translation): number[] {
  const words = tokens13a(hypothesis);
  const others = references.map(tokens13a);
  const statistics = [words.length, closestLength(words.length, others)];
  for (let n = 1; n <= order; n++) {
    const allowed = new Map<string, number>();
    for (const other of others)
      for (const [ngram, count] of countNgrams(other, n, ' ')) allowed.set(ngram, Math.max(count, allowed.get(ngram) ?? 0));
    let matched = 0;
    for (const [ngram, count] of countNgrams(words, n, ' ')) matched += Math.min(count, allowed.get(ngram) ?? 0);
    statistics.push(matched, Math.max(0, words.length - n + 1));
  }
  return statistics;
}

/** BLEU of a corpus from the sums of its sentences' statistics. */
export function bleuOfSums(sums: readonly number[]): number {
  return bleuOf(sums, { effectiveOrder: false });
}

/** Of equally close lengths the shorter one. */
function closestLength(length: number, others: ReadonlyArray<readonly string[]>): number {
  const lengths = others.map((other) => other.length);
  return lengths.toSorted((a, b) => Math.abs(a - length) - Math.abs(b - length) || a - b)[0]!;
}

function bleuOf([length, referenceLength, ...counts]: readonly number[], { effectiveOrder }: { effectiveOrder: boolean }): number {
  const orders = Array.from({ length: order }, (_, at) => ({ matched: counts[2 * at]!, total: counts[2 * at + 1]! }));
  if (orders.every(({ matched }) => matched === 0)) return 0;
  const counted = orders.filter(({ total }) => total > 0);
  // A corpus without a single 4-gram scores nothing, a short sentence by the orders that it has.
  if (counted.length < order && !effectiveOrder) return 0;
  let smoothing = 1;
  const logs = counted.map(({ matched, total }) => {
    if (matched > 0) return Math.log((100 * matched) / total);
    smoothing *= 2;
    return Math.log(100 / (smoothing * total));
  });
  const brevity = length! < referenceLength! ? Math.exp(1 - referenceLength! / length!) : 1;
  return brevity * Math.exp(logs.reduce((sum, log) => sum + log, 0) / counted.length);
}

/** Punctuation apart, periods and commas within numbers aside: the rules of mteval-v13a. */
const rules: ReadonlyArray<readonly [RegExp, string]> = [
  [/([{-~[-` -&(-+:-@/])/gu, ' $1 '],
  [/([^0-9])([.,])/gu, '$1 $2 '],
  [/([.,])([^0-9])/gu, ' $1 $2'],
  [/([0-9])(-)/gu, '$1 $2 '],
];

const entities: ReadonlyArray<readonly [string, string]> = [
  ['&quot;', '"'],
  ['&amp;', '&'],
  ['&lt;', '<'],
  ['&gt;', '>'],
];

function tokens13a(text: string): string[] {
  let line = withoutTrailingSpaces(text).replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' ');
  for (const [entity, character] of entities) line = line.replaceAll(entity, character);
  line = ` ${line} `;
  for (const [pattern, replacement] of rules) line = line.replace(pattern, replacement);
  return wordsOf(line);
}
