import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocksNeeded, minimumDetectableEffect } from './power.ts';
import { studentCdf, studentQuantile } from './student.ts';

const plan = { standardDeviation: 1, tail: 0.025, power: 0.8 };

test('the smallest detectable effect follows the t table', () => {
  // n = 20: t of 19 degrees at .975 is 2.093, at .8 is 0.861.
  assert.ok(Math.abs(minimumDetectableEffect({ ...plan, blocks: 20 }) - (2.093 + 0.861) / Math.sqrt(20)) < 2e-4);
  // n = 5: 2.776 and 0.941.
  assert.ok(Math.abs(minimumDetectableEffect({ ...plan, standardDeviation: 3, blocks: 5 }) - (3 * (2.776 + 0.941)) / Math.sqrt(5)) < 2e-3);
});

test('the blocks needed are the fewest that suffice', () => {
  for (const effect of [0.05, 0.3, 0.65, 1, 3, 100]) {
    const blocks = blocksNeeded({ ...plan, effect });
    assert.ok(minimumDetectableEffect({ ...plan, blocks }) <= effect);
    if (blocks > 2) assert.ok(minimumDetectableEffect({ ...plan, blocks: blocks - 1 }) > effect);
  }
  // One-sample t tables for d = 0.65 at α = 5 % two-sided and 80 % power give 21.
  assert.equal(blocksNeeded({ ...plan, effect: 0.65 }), 21);
  assert.equal(blocksNeeded({ ...plan, effect: 1e-3 }), Infinity);
  assert.equal(blocksNeeded({ ...plan, standardDeviation: 0, effect: 1e-9 }), 2);
});

test('power undoes the smallest detectable effect', () => {
  for (const blocks of [2, 5, 20]) {
    for (const power of [0.3, 0.5, 0.8, 0.95]) {
      const effect = minimumDetectableEffect({ ...plan, blocks, power });
      // P(T ≤ effect·√n/sd − t₁₋tail)
      const shown = studentCdf(effect * Math.sqrt(blocks) - studentQuantile(1 - plan.tail, blocks - 1), blocks - 1);
      assert.ok(Math.abs(shown - power) < 1e-6);
    }
  }
});

test('plans that mean nothing are refused', () => {
  assert.throws(() => minimumDetectableEffect({ ...plan, blocks: 1 }), RangeError);
  assert.throws(() => minimumDetectableEffect({ ...plan, standardDeviation: -1, blocks: 5 }), RangeError);
  assert.throws(() => minimumDetectableEffect({ ...plan, standardDeviation: NaN, blocks: 5 }), RangeError);
  assert.throws(() => minimumDetectableEffect({ ...plan, power: 1, blocks: 5 }), RangeError);
  for (const effect of [0, -1, NaN]) assert.throws(() => blocksNeeded({ ...plan, effect }), RangeError);
});
