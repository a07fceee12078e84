import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bestOf, isSpent } from './recover.ts';

const judged = (...losses: readonly number[]) => losses.map((loss, at) => ({ step: 100 + 50 * at, loss }));

test('training ends after so many checkpoints in a row without progress, and the best one is kept', () => {
  assert.equal(isSpent(judged(0.3), 1), false);
  assert.equal(isSpent(judged(0.3, 0.3), 1), true, 'as good is no progress');
  assert.equal(isSpent(judged(0.3, 0.4, 0.2), 2), false);
  assert.equal(isSpent(judged(0.3, 0.2, 0.4, 0.25), 2), true);
  assert.equal(isSpent(judged(Infinity, Infinity), 2), false);
  assert.equal(bestOf(judged(0.3, 0.2, 0.4, 0.25)), 150);
  assert.equal(bestOf(judged(0.3, 0, 0)), 200, 'of equal ones the last');
});
