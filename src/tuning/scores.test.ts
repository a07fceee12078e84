import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scoresOf } from './scores.ts';

const scores = { correct: Float32Array.of(1, 0.96875, 0), bits: Float32Array.of(0.5, 1, 2) };

test('a translation is right only as a whole; other scores are shares, or minus the bits', () => {
  assert.deepEqual(scoresOf({ metric: 'accuracy' }, scores), [1, 0.96875, 0]);
  assert.deepEqual(scoresOf({ metric: 'bits' }, scores), [-0.5, -1, -2]);
  const translation = { textOf: () => '' };
  assert.deepEqual(scoresOf({ metric: 'accuracy', translation }, scores), [1, 0, 0]);
});
