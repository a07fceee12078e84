import assert from 'node:assert/strict';
import test from 'node:test';
import { visitsOf } from './pair-block.ts';

test('a visit drops 12 ms of short samples and keeps as many, four at the least; of long ones it keeps three, and one', () => {
  const visits = [1, 3, 9.9, 10, 50, 100, 500].map((ms) => visitsOf(ms * 1e6));
  assert.deepEqual(
    visits.map(({ dropped, kept, fewest }) => [dropped, kept, fewest]),
    [
      [12, 12, 2],
      [4, 4, 2],
      [2, 4, 2],
      [2, 3, 2],
      [1, 3, 2],
      [1, 1, 4],
      [1, 1, 2],
    ],
  );
});
