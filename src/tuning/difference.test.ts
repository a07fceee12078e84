import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differenceOf } from './difference.ts';
import type { FinishedTrial } from './finish-trial.ts';

const scored = (...means: readonly number[]) => means.map((mean) => ({ test: { mean } }) as FinishedTrial);

test('a difference that is certain has a small p, not none', () => {
  const base = scored(0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  const { p } = differenceOf(base, scored(1, 1.001, 1, 0.999, 1, 1.001, 1, 0.999, 1, 1));
  assert.ok(p > 0 && p < 1e-20, String(p));
});

test('a difference that is seen once, or not at all, has p 1', () => {
  assert.equal(differenceOf(scored(0), scored(1)).p, 1);
  assert.equal(differenceOf(scored(0.5, 0.6), scored(0.5, 0.6)).p, 1);
});
