import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signed } from './figures.ts';

test('what is written as nothing has no sign', () => {
  assert.deepEqual([signed(-4e-4, '0.0'), signed(-0.04, '4.0'), signed(0.04, '4.0'), signed(0, '0')], ['0.0', '−4.0', '+4.0', '0']);
});
