import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tensor } from '../contract/tensor.ts';
import { itemDrift } from '../quality/drift.ts';
import { summariseDrift } from '../quality/drift-summary.ts';
import { estimatePaired } from '../quality/paired.ts';
import { driftSize, judge } from './quality-of.ts';

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
const decided = { drift: same, exactWithin: null };

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

test('labels are judged by the share that changes, with and without the same mathematics', () => {
  const half = driftOf(labels(1, 2, 3, 4), labels(1, 2, 4, 3));
  assert.equal(half.outputs.map(driftSize)[0], 0.5);
  assert.equal(judge(0.02, { drift: half, task: null, exactWithin: null }).outcome, 'regression');
  const exact = judge(0.02, { drift: half, task: null, exactWithin: 1e-4 });
  assert.equal(exact.outcome, 'regression');
  assert.match(exact.reason, /50 % of labels change/);
  assert.equal(judge(0.02, { drift: driftOf(labels(1, 2), labels(1, 2)), task: null, exactWithin: 1e-4 }).outcome, 'pass');
});

test('what half precision moves is within the limit of half precision alone', () => {
  const drift = driftOf(floats(1, 1), floats(1, 1.002));
  assert.equal(judge(0.02, { drift, task: null, exactWithin: 1e-2 }).outcome, 'pass');
  assert.equal(judge(0.02, { drift, task: null, exactWithin: 1e-4 }).outcome, 'regression');
});
