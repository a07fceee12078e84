import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lostOf } from './candidate-quality.ts';

const lost = (marginsLost: number) => ({ judgement: { outcome: 'regression' as const, reason: '', marginsLost } });

test('what training brought back is told of the same parts before and after', () => {
  const hopeless = { quality: lost(9) };
  const after = { quality: lost(0.5), decode: { quality: lost(2) }, generation: lost(3) };
  assert.equal(lostOf(hopeless, hopeless), 9);
  assert.equal(lostOf(after, hopeless), 0.5, 'neither decoding nor generation was judged before');
  assert.equal(lostOf(after, { quality: lost(1), decode: { quality: lost(4) } }), 2);
  assert.equal(lostOf(after, after), 3);
  assert.equal(lostOf({ quality: lost(-1) }, hopeless), 0, 'a gain is no loss');
});
