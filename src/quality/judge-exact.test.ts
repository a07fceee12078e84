import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tensor } from '../contract/tensor.ts';
import { itemDrift } from './drift.ts';
import { summariseDrift } from './drift-summary.ts';
import { judgeExact } from './judge-exact.ts';

const floats = (...values: number[]): Tensor => ({ type: 'float32', dims: [1, values.length], data: Float32Array.from(values) });
const labels = (...values: number[]): Tensor => ({ type: 'int32', dims: [1, values.length], data: Int32Array.from(values) });
const limits = { tolerance: 1e-5, labels: 0.02, lengths: [512, 128, 512] };

/** Drift of items `a`, `b`, … whose outputs are given. */
function driftOf(pairs: readonly (readonly [Tensor, Tensor])[]) {
  const drift = summariseDrift(
    pairs.map(([original, changed], at) => itemDrift(String.fromCharCode(97 + at), { y: original }, { y: changed })),
    { seed: 1 },
  );
  if (drift.state === 'fault') throw new Error(drift.reasons[0]);
  return drift;
}

test('one item beyond what rounding explains is a loss without measure, whatever the others say, and is named', () => {
  const same = [floats(1, 2), floats(1, 2)] as const;
  const judged = judgeExact(driftOf([same, same, [floats(1, 1), floats(1, 1.5)], same]), limits);
  assert.deepEqual([judged.outcome, judged.marginsLost], ['regression', Infinity]);
  assert.match(judged.reason, /differ by 0\.354 of their size at item c of 4 items \(128 and 512 tokens\); rounding explains up to 1e-5/);
});

test('what passes says on how many items, at which lengths', () => {
  const near = [floats(1, 1), floats(1, 1 + 2e-7)] as const;
  const judged = judgeExact(driftOf([near, near]), limits);
  assert.equal(judged.outcome, 'pass');
  assert.match(judged.reason, /all 2 items \(128 and 512 tokens\) differ by at most/);
  assert.ok(judged.marginsLost > 0 && judged.marginsLost < 0.1);
});

test('labels may change next to a tie, within their margin', () => {
  const many = (different: number) => labels(...Array.from({ length: 100 }, (_, at) => (at < different ? 7 : 3)));
  assert.equal(judgeExact(driftOf([[many(0), many(1)]]), limits).outcome, 'pass');
  const judged = judgeExact(
    driftOf([
      [many(0), many(0)],
      [many(0), many(10)],
    ]),
    limits,
  );
  assert.equal(judged.outcome, 'regression');
  assert.match(judged.reason, /5 % change .*farthest: item b/);
});
