import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleComparison } from '../verdict/fixtures/sample-verdict.ts';
import { payingText } from './graded.ts';

/** Levels of which each has a relative change of time, ± 0.02. */
function textOf(...estimates: ReadonlyArray<number | null>): string {
  const levels = estimates.map((estimate, index) => {
    const effect = estimate === null ? null : { estimate, low: estimate - 0.02, high: estimate + 0.02, confidence: 0.95 };
    const outcome = estimate === null ? 'error' : estimate + 0.02 < 0.1 ? 'pass' : 'inconclusive';
    return { difficulty: index + 1, items: 4, score: 1, whole: 1, layers: 1, latency: sampleComparison({ effect, outcome }) };
  });
  return payingText({ levels }).trim();
}

test('a share at which exits pay off is given only where they are shown to gain on easy items and to lose on hard ones', () => {
  assert.match(
    textOf(-0.5, -0.1, 0.125),
    /^Exits save time while fewer than 80 % of the items are of the hardest difficulty and the others/,
  );
  assert.match(textOf(-0.3, -0.1), /^Exits save time at any mix of the easiest and the hardest items\. /);
  assert.match(textOf(-0.3, -0.3), /^Exits save time at any mix/);
  assert.match(textOf(-0.3, 0.01), /^Exits save time on the easiest items; that they cost time on the hardest is not shown\. /);
  assert.match(textOf(0.1, 0.05), /^Exits save no time on the easiest items\. /);
  assert.match(textOf(0.05, 0.05), /^Exits save no time on the easiest items\. /);
  assert.match(textOf(0.05, -0.3), /^Exits save no time on the easiest items\. /);
  assert.match(textOf(0.01, 0.2), /^Exits are not shown to save time on the easiest items\. /);
  for (const estimates of [[-0.5], [null, 0.2], [-0.5, null]]) assert.match(textOf(...estimates), /^At /);
});

test('difficulties at which exits may cost too much are named', () => {
  assert.match(textOf(-0.5, 0.05), /At every difficulty, the slowdown is shown to be below 10 %\.$/);
  assert.match(textOf(-0.5, 0.05, 0.2, null), /At difficulty 3, 4, a slowdown of 10 % or more is not ruled out\.$/);
});
