import assert from 'node:assert/strict';
import { test } from 'node:test';
import { growthExponent, growthText } from './growth-exponent.ts';

test('growth is told from three lengths on, with the range that it may lie in', () => {
  assert.equal(growthExponent([512, 1024], [1, 1.27]), undefined);
  assert.equal(growthExponent([512, 512, 1024], [1, 1, 2]), undefined);
  const growth = growthExponent([1, 2, 4], [1, 4, 8])!;
  assert.equal(growthText(growth), '1.50 (1.00 to 2.00)');
  assert.equal(growthText({ ...growth, slope: -0.001, low: -0.5 }), '0.00 (−0.50 to 2.00)');
});
