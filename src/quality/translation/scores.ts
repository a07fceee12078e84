import { quantileSorted } from '../../statistics/order-statistics.ts';
import { addReplicateSums, seededGenerator } from '../../statistics/resample.ts';
import { bleuOfSums, bleuStatistics } from './bleu.ts';
import { chrfOfSums, chrfStatistics } from './chrf.ts';
import { addUp, requireReferences } from './ngrams.ts';
import type { Translation } from './ngrams.ts';

/** The score of a corpus, 0 to 100, with a 95 % interval over its sentences, from resampled corpora (Koehn 2004); null of a single sentence. */
export interface CorpusScore {
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
}

export interface TranslationScores {
  readonly bleu: CorpusScore;
  readonly chrf: CorpusScore;
}

const resamples = 1000;

/** BLEU and chrF as sacrebleu computes them. @throws RangeError where there is nothing to score, or a translation has no reference */
export function translationScores(translations: readonly Translation[], seed: number): TranslationScores {
  requireReferences(translations);
  return {
    bleu: corpusScore(translations.map(bleuStatistics), bleuOfSums, seed),
    chrf: corpusScore(translations.map(chrfStatistics), chrfOfSums, seed),
  };
}

function corpusScore(sentences: readonly number[][], scoreOf: (sums: readonly number[]) => number, seed: number): CorpusScore {
  const value = scoreOf(addUp(sentences));
  if (sentences.length < 2) return { value, low: null, high: null };
  const columns = sentences[0]!.length;
  const sums = new Float64Array(resamples * columns);
  const rows = { columns, values: Float64Array.from(sentences.flat()), strata: [sentences.length] };
  addReplicateSums(sums, rows, seededGenerator(seed, 'translation'));
  const scores = Float64Array.from({ length: resamples }, (_, at) => scoreOf(Array.from(sums.subarray(at * columns, (at + 1) * columns))));
  scores.sort();
  return { value, low: quantileSorted(scores, 0.025), high: quantileSorted(scores, 0.975) };
}
