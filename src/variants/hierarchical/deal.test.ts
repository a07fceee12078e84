import assert from 'node:assert/strict';
import test from 'node:test';
import { dealHeads, levelOf } from './deal.ts';

test('heads are dealt in proportion, largest remainders first', () => {
  assert.deepEqual(dealHeads(8, [4, 3, 1]), [4, 3, 1]);
  assert.deepEqual(dealHeads(16, [4, 3, 1]), [8, 6, 2]);
  assert.deepEqual(dealHeads(12, [4, 3, 1]), [6, 5, 1]); // 6, 4.5, 1.5: the tie goes to the earlier level
  assert.deepEqual(dealHeads(7, [1, 1, 1]), [3, 2, 2]);
  assert.deepEqual(dealHeads(10, [1, 3, 3]), [2, 4, 4]); // 1.43, 4.29, 4.29
});

test('each level of non-zero ratio gets a head where heads suffice, from the largest, a tie from the later', () => {
  assert.deepEqual(dealHeads(3, [4, 3, 1]), [1, 1, 1]); // 2, 1, 0
  assert.deepEqual(dealHeads(4, [4, 3, 1]), [2, 1, 1]); // 2, 2, 0: taken from regional
  assert.deepEqual(dealHeads(3, [1, 0, 100]), [1, 0, 2]);
  assert.deepEqual(dealHeads(4, [1, 1, 100]), [1, 1, 2]);
});

test('fewer heads than levels leave levels out', () => {
  assert.deepEqual(dealHeads(1, [4, 3, 1]), [1, 0, 0]);
  assert.deepEqual(dealHeads(2, [4, 3, 1]), [1, 1, 0]);
  assert.deepEqual(dealHeads(1, [0, 0, 5]), [0, 0, 1]);
});

test('the first heads are local, the last global', () => {
  const levels = Array.from({ length: 8 }, (_, head) => levelOf(head, 8, [4, 3, 1]));
  assert.deepEqual(levels, ['local', 'local', 'local', 'local', 'regional', 'regional', 'regional', 'global']);
});
