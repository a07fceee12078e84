import assert from 'node:assert/strict';
import { test } from 'node:test';
import { largestOpener } from './select-on-host.ts';
import { maskedScore } from './selection.ts';

function kept(row: readonly number[], count: number): number[] {
  const table = Array.from({ length: row.length + 1 }, (_, allowed) => Math.min(count, allowed));
  const bias = new Float32Array(row.length).fill(maskedScore);
  largestOpener(table, row.length)(Float32Array.from(row), bias);
  return [...bias.keys()].filter((index) => bias[index] === 0);
}

test('the largest stay, a tie going to the lower index', () => {
  assert.deepEqual(kept([1, 3, 2, 3, 3], 2), [1, 3]);
  assert.deepEqual(kept([5, 5, 5, 5], 3), [0, 1, 2]);
  assert.deepEqual(kept([-1, -3, -2], 1), [0]);
});

test('zero and minus zero are equal', () => {
  assert.deepEqual(kept([-0, 0, -0, 1], 2), [0, 3]);
  assert.deepEqual(kept([0, -0, -1], 1), [0]);
  assert.deepEqual(kept([-1, -0, 0, 0], 2), [1, 2]);
});

test('masked entries never stay', () => {
  assert.deepEqual(kept([maskedScore, 1, 2 * maskedScore, 0], 4), [1, 3]);
  assert.deepEqual(kept([maskedScore, maskedScore], 1), []);
});

test('random rows keep what sorting keeps', () => {
  for (let round = 0; round < 200; round++) {
    const row = Array.from({ length: 1 + (round % 97) }, (_, index) =>
      Math.fround(Math.sin(round * 101 + index * 7.3) * 10 ** (index % 5)),
    );
    const count = 1 + (round % 13);
    const order = [...row.keys()].sort((a, b) => row[b]! - row[a]! || a - b);
    assert.deepEqual(
      kept(row, count),
      order.slice(0, Math.min(count, row.length)).sort((a, b) => a - b),
    );
  }
});
