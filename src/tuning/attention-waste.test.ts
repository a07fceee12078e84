import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evenly, scoredRows } from './attention-waste.ts';

const items = { items: 2, length: 4, tokens: new Int32Array(8), targets: Int32Array.of(-1, -1, 0, -1, -1, 2, -1, 1) };

test('scored rows are the positions with a target, each with the keys that hold its answer', () => {
  const relevant = [[], [], [1, 3], [], [], [0], [], []];
  assert.deepEqual(scoredRows({ ...items, relevant }, 0), [{ query: 2, relevant: [1, 3] }]);
  assert.deepEqual(scoredRows({ ...items, relevant }, 1), [
    { query: 1, relevant: [0] },
    { query: 3, relevant: undefined },
  ]);
  assert.deepEqual(scoredRows(items, 0), [{ query: 2, relevant: undefined }]);
});

test('of many rows some are kept, evenly spaced, with the last', () => {
  assert.deepEqual(evenly([0, 1, 2, 3, 4, 5, 6, 7], 4), [1, 3, 5, 7]);
  assert.deepEqual(evenly([0, 1, 2, 3, 4, 5, 6], 3), [2, 4, 6]);
  assert.deepEqual(evenly([0, 1, 2], 5), [0, 1, 2]);
  assert.deepEqual(evenly([], 3), []);
});
