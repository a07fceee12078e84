import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { corpusBleu, sentenceBleu } from './bleu.ts';
import { corpusChrf, sentenceChrf } from './chrf.ts';
import { drawTranslations } from './fixtures/draw-translations.ts';
import { translationScores } from './scores.ts';

const seed = 1;
/** Of translations one by one, then of all of them as a corpus, as sacrebleu prints them. */
interface Scores {
  readonly version: string;
  readonly bleu: readonly number[];
  readonly chrf: readonly number[];
  readonly corpus: readonly [bleu: number, chrf: number];
}

const script = `
import json, sys, sacrebleu
from sacrebleu.metrics import BLEU, CHRF
pairs = json.load(sys.stdin)
most = max(len(pair['references']) for pair in pairs)
streams = [[pair['references'][at] if at < len(pair['references']) else None for pair in pairs] for at in range(most)]
hypotheses = [pair['hypothesis'] for pair in pairs]
json.dump({
    'version': sacrebleu.__version__,
    'bleu': [sacrebleu.sentence_bleu(pair['hypothesis'], pair['references']).score for pair in pairs],
    'chrf': [sacrebleu.sentence_chrf(pair['hypothesis'], pair['references']).score for pair in pairs],
    'corpus': [BLEU().corpus_score(hypotheses, streams).score, CHRF().corpus_score(hypotheses, streams).score],
}, sys.stdout)
`;
const python = process.env['ATTNSWAP_SACREBLEU_PYTHON'] ?? 'python3';
const hasSacrebleu = spawnSync(python, ['-c', 'import sacrebleu']).status === 0;

function requireEqual(count: number, { bleu, chrf, corpus }: Scores): void {
  const drawn = drawTranslations(count, seed);
  assert.deepEqual([bleu.length, chrf.length], [count, count]);
  for (const [at, { hypothesis, references }] of drawn.entries()) {
    const what = JSON.stringify(drawn[at]);
    const found = [sentenceBleu(hypothesis, ...references), sentenceChrf(hypothesis, ...references)];
    assert.ok(Math.abs(found[0]! - bleu[at]!) < 1e-9, `BLEU of ${what}: ${found[0]}, sacrebleu ${bleu[at]}`);
    assert.ok(Math.abs(found[1]! - chrf[at]!) < 1e-9, `chrF of ${what}: ${found[1]}, sacrebleu ${chrf[at]}`);
  }
  assert.ok(Math.abs(corpusBleu(drawn) - corpus[0]) < 1e-9, `corpus BLEU ${corpusBleu(drawn)}, sacrebleu ${corpus[0]}`);
  assert.ok(Math.abs(corpusChrf(drawn) - corpus[1]) < 1e-9, `corpus chrF ${corpusChrf(drawn)}, sacrebleu ${corpus[1]}`);
}

test('BLEU and chrF are those that sacrebleu gave for 200 drawn translations, to 1e-9', () => {
  const stored = JSON.parse(readFileSync(new URL('fixtures/sacrebleu.json', import.meta.url), 'utf8')) as Scores;
  requireEqual(200, stored);
});

test(
  'and for 1000 of them those of the sacrebleu that is installed',
  { skip: !hasSacrebleu && 'needs pip install sacrebleu (ATTNSWAP_SACREBLEU_PYTHON)' },
  () => {
    const input = JSON.stringify(drawTranslations(1000, seed));
    requireEqual(1000, JSON.parse(execFileSync(python, ['-c', script], { input, encoding: 'utf8', maxBuffer: 1e8 })) as Scores);
  },
);

test('a corpus is no mean of sentences, and one without 4-grams scores nothing', () => {
  const short = { hypothesis: 'the cat sat', references: ['the cat sat'] };
  const long = { hypothesis: 'a quick brown fox jumps', references: ['a slow brown fox jumps'] };
  assert.ok(Math.abs(sentenceBleu('the cat sat', 'the cat sat') - 100) < 1e-9);
  assert.equal(corpusBleu([short]), 0);
  const mean = (100 + sentenceBleu(long.hypothesis, ...long.references)) / 2;
  assert.ok(Math.abs(corpusBleu([short, long]) - mean) > 1);
});

test('what has no reference is refused', () => {
  for (const score of [sentenceBleu, sentenceChrf]) assert.throws(() => score('a'), RangeError);
  for (const score of [corpusBleu, corpusChrf]) assert.throws(() => score([]), RangeError);
});

test('the scores of a corpus have intervals over its sentences, which are the scores of resampled corpora', () => {
  const drawn = drawTranslations(200, seed);
  const { bleu, chrf } = translationScores(drawn, 1);
  assert.equal(bleu.value, corpusBleu(drawn));
  assert.equal(chrf.value, corpusChrf(drawn));
  for (const { value, low, high } of [bleu, chrf]) assert.ok(low! < value && value < high! && high! - low! < 30, `${low} ${value} ${high}`);
  assert.deepEqual(translationScores(drawn, 1), { bleu, chrf });
  const same = [1, 2, 3].map(() => ({ hypothesis: 'a b c d e', references: ['a b c d e'] }));
  for (const each of Object.values(translationScores(same, 1).bleu)) assert.ok(Math.abs(each! - 100) < 1e-9);
  assert.deepEqual(translationScores(same.slice(1, 2), 1).chrf, { value: sentenceChrf('a b c d e', 'a b c d e'), low: null, high: null });
  assert.throws(() => translationScores([], 1), RangeError);
});
