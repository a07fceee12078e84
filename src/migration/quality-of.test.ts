import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tensor } from '../contract/tensor.ts';
import { itemDrift } from '../quality/drift.ts';
import { summariseDrift } from '../quality/drift-summary.ts';
import { estimatePaired } from '../quality/paired.ts';
import type { Exactness } from './exactness.ts';
import { driftSize, judge, judgeAsExact } from './quality-of.ts';

const floats = (...values: number[]): Tensor => ({ type: 'float32', dims: [1, values.length], data: Float32Array.from(values) });
const labels = (...values: number[]): Tensor => ({ type: 'int32', dims: [1, values.length], data: Int32Array.from(values) });

/** Drift of eight items, every one the same. */
function driftOf(original: Tensor, changed: Tensor) {
  const items = Array.from({ length: 8 }, (_, at) => itemDrift(`${at}`, { y: original }, { y: changed }));
  const drift = summariseDrift(items, { seed: 1 });
  if (drift.state === 'fault') throw new Error(drift.reasons[0]);
  return drift;
}
const same = driftOf(floats(1, 2), floats(1, 2));
const withTask = (base: number[], fresh: number[]) => estimatePaired({ base, new: fresh }, { seed: 1 });
const decided = { drift: same };

test('scores below zero have a margin by their size', () => {
  const base = Array.from({ length: 12 }, (_, at) => -2 - at / 100);
  const pass = judge(0.02, {
    ...decided,
    task: withTask(
      base,
      base.map((score, at) => score - 0.001 - at / 1e5),
    ),
  });
  assert.equal(pass.outcome, 'pass');
  const lost = judge(0.02, {
    ...decided,
    task: withTask(
      base,
      base.map((score, at) => score - 1 - at / 1e5),
    ),
  });
  assert.equal(lost.outcome, 'regression');
});

test('a mean score of zero says nothing, and does not end the migration', () => {
  const judged = judge(0.02, { ...decided, task: withTask([0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]) });
  assert.deepEqual([judged.outcome, judged.marginsLost], ['inconclusive', 0]);
  assert.match(judged.reason, /mean score is 0/);
});

test('labels are judged by the share that changes', () => {
  const half = driftOf(labels(1, 2, 3, 4), labels(1, 2, 4, 3));
  assert.equal(half.outputs.map(driftSize)[0], 0.5);
  assert.equal(judge(0.02, { drift: half, task: null }).outcome, 'regression');
});

const items = Array.from({ length: 8 }, (_, at) => ({ id: `${at}`, length: 64, feeds: {} }));
const exactly = (drift: typeof same, tolerance: number, exception: Exactness['exception'] = null) =>
  judgeAsExact(drift, { tolerance, exception }, { items, margin: 0.02 });

test('what half precision moves is within the limit of half precision alone', () => {
  const drift = driftOf(floats(1, 1), floats(1, 1.002));
  assert.equal(exactly(drift, 1e-2)?.outcome, 'pass');
  assert.equal(exactly(drift, 1e-5)?.outcome, 'regression');
});

test('where a difference need not be a fault, only agreement is decided by it', () => {
  const drift = driftOf(floats(1, 1), floats(1, 1.002));
  assert.equal(exactly(drift, 1e-5, 'blind-rows'), null);
  assert.equal(exactly(same, 1e-5, 'quantized')?.outcome, 'pass');
});
