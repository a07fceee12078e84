import assert from 'node:assert/strict';
import { test } from 'node:test';
import { savedBy } from './site-savings.ts';
import { migrationSteps } from './steps.ts';

test('what cannot be timed is unknown beside an original that cannot be, and saves nothing beside one that can', () => {
  assert.deepEqual([savedBy(3, 1), savedBy(1, 3), savedBy(3, Infinity)], [2, -2, 0]);
  assert.deepEqual([savedBy(Infinity, 1), savedBy(Infinity, Infinity)], [null, null]);
});

test('a journal holds savings that are unknown, and those of older versions, which have none', () => {
  const [, schema] = migrationSteps.find(([name]) => name.test('tune/saving'))!;
  for (const rows of [[[0, null]], [[0, 1.5]]]) assert.deepEqual(schema.parse(rows), rows);
});
