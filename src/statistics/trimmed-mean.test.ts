import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trimmedMean } from './trimmed-mean.ts';

test('a fifth of the values is dropped at each end, rounded down', () => {
  assert.equal(trimmedMean([1, 2, 3, 4, 100]), 3);
  assert.equal(trimmedMean([1, 2, 3, 10]), 4);
  assert.equal(trimmedMean([0, 1, 2, 3, 4, 5, 6, 7, 8, 1e9]), 4.5);
  assert.equal(trimmedMean([5]), 5);
});

test('a share of nothing is the mean, and just under a half the median', () => {
  assert.equal(trimmedMean([1, 2, 3, 10], 0), 4);
  assert.equal(trimmedMean([9, 1, 2, 50, 3], 0.49), 3);
});

test('it moves with its values, mirrors with them, and ignores their order', () => {
  const values = [3.5, -1, 8, 2, 2, 40, 5, -7, 0.5, 1];
  const centre = trimmedMean(values);
  assert.ok(Math.abs(trimmedMean(values.map((value) => value + 10)) - centre - 10) < 1e-12);
  assert.equal(trimmedMean(values.map((value) => -value)), -centre);
  assert.equal(trimmedMean(values.toReversed()), centre);
});

test('the input stays as it was, and none, or a share of a half or more, is refused', () => {
  const values = [3, 1, 2];
  trimmedMean(values);
  assert.deepEqual(values, [3, 1, 2]);
  assert.throws(() => trimmedMean([]), RangeError);
  for (const share of [0.5, -0.1, NaN]) assert.throws(() => trimmedMean([1], share), RangeError);
});
