import { addUp, countNgrams, requireReferences, wordsOf } from './ngrams.ts';
import type { Translation } from './ngrams.ts';

const order = 6;
/** Recall weighs β² times as much as precision. */
const weight = 2 ** 2;

/**
 * chrF2 of a corpus, 0 to 100 (Popović 2015), as sacrebleu computes it by default: n-grams of characters up to 6 without spaces; mean precision and
 * recall over the orders that both sides have. Of several references the one that a hypothesis scores best by.
 * @throws RangeError where there is nothing to score, or a translation has no reference
 */
export function corpusChrf(translations: readonly Translation[]): number {
  requireReferences(translations);
  return chrfOfSums(addUp(translations.map(chrfStatistics)));
}

/** chrF2 of one translation, 0 to 100. @throws RangeError where it has no reference */
export function sentenceChrf(hypothesis: string, ...references: readonly string[]): number {
  return corpusChrf([{ hypothesis, references }]);
}

/** Those of the reference that it scores best by, see {@link statisticsOf}. */
export function chrfStatistics({ hypothesis, references }: Translation): number[] {
  const own = ngramsOf(hypothesis);
  let best: { score: number; statistics: number[] } | undefined;
  for (const reference of references) {
    const statistics = statisticsOf(own, ngramsOf(reference));
    const score = chrfOfSums(statistics);
    if (best === undefined || score > best.score) best = { score, statistics };
  }
  return best!.statistics;
}

type Ngrams = ReadonlyArray<ReadonlyMap<string, number>>;

/** By order; a character is a code point. */
function ngramsOf(text: string): Ngrams {
  const characters = Array.from(wordsOf(text).join(''));
  return Array.from({ length: order }, (_, at) => countNgrams(characters, at + 1, ''));
}

/** Of each order the n-grams of the hypothesis, where the reference has any, those of the reference, and those matched. */
function statisticsOf(hypothesis: Ngrams, reference: Ngrams): number[] {
  return hypothesis.flatMap((own, at) => {
    const other = reference[at]!;
    let matched = 0;
    for (const [ngram, count] of own) matched += Math.min(count, other.get(ngram) ?? 0);
    return [other.size === 0 ? 0 : total(own), total(other), matched];
  });
}

function total(counts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}

/** chrF2 of a corpus from the sums of its sentences' statistics. */
export function chrfOfSums(statistics: readonly number[]): number {
  let [precision, recall, orders] = [0, 0, 0];
  for (let at = 0; at < statistics.length; at += 3) {
    const [own, other, matched] = statistics.slice(at, at + 3) as [number, number, number];
    if (own === 0 || other === 0) continue;
    precision += matched / own;
    recall += matched / other;
    orders++;
  }
  if (precision + recall === 0) return 0;
  const [meanPrecision, meanRecall] = [precision / orders, recall / orders];
  return (100 * (1 + weight) * meanPrecision * meanRecall) / (weight * meanPrecision + meanRecall);
}
