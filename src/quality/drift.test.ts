import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tensor, TensorType } from '../contract/tensor.ts';
import { tensorOf } from '../inputs/model-inputs.ts';
import { itemDrift } from './drift.ts';
import type { OutputDrift } from './drift.ts';
import { summariseDrift } from './drift-summary.ts';
import { judgeDrift } from './judge-drift.ts';
import { RandomStream } from '../inputs/random.ts';

const tensor = (values: readonly number[], dims: readonly number[] = [values.length], type: TensorType = 'float32'): Tensor =>
  tensorOf(type, dims, values);
const near = (actual: number, expected: number, within = 1e-12) =>
  assert.ok(Math.abs(actual - expected) <= within, `${actual}, ${expected}`);

function only(original: Tensor, changed: Tensor, name = 'out', kind?: OutputDrift['kind']): OutputDrift {
  const drift = itemDrift('item', { [name]: original }, { [name]: changed }, kind === undefined ? {} : { [name]: kind });
  if (drift.state === 'fault') return assert.fail(drift.reason);
  return drift.outputs[0]!;
}
function faultOf(original: Tensor, changed: Tensor, kind?: OutputDrift['kind']): string {
  const drift = itemDrift('item', { out: original }, { out: changed }, kind === undefined ? {} : { out: kind });
  return drift.state === 'fault' ? drift.reason : assert.fail('no fault');
}

test('relative error and cosine of each vector are those of the formulas', () => {
  const drift = only(tensor([3, 4, 1, 0], [2, 2]), tensor([4, 3, 0, 2], [2, 2]));
  assert.equal(drift.kind, 'vectors');
  near(drift.relativeError!, Math.sqrt((1 + 1 + 1 + 4) / (25 + 1)));
  near(drift.cosineDistances[0]!, 1 - 24 / 25);
  near(drift.cosineDistances[1]!, 1);
  assert.equal(drift.divergence, null);
});

test('a cosine distance far below the rounding of 1 is still told', () => {
  const angle = 1e-10;
  const drift = only(tensor([1, 0], [2], 'float64'), tensor([Math.cos(angle), Math.sin(angle)], [2], 'float64'));
  near(drift.cosineDistances[0]! / (angle ** 2 / 2), 1, 1e-6);
});

test('a vector that is zero on both sides has not turned; on one side it has', () => {
  assert.deepEqual([...only(tensor([0, 0, 0, 0, 1, 1], [3, 2]), tensor([0, 0, 1, 1, 1, 1], [3, 2])).cosineDistances], [0, 1, 0]);
});

test('float16 patterns are decoded, and axes of 1 at the end are no vectors', () => {
  const half = only(tensor([1, 2, 3, 4], [1, 4], 'float16'), tensor([1, 2, 3, 5], [1, 4], 'float16'));
  near(half.relativeError!, Math.sqrt(1 / 30));
  assert.equal(only(tensor([1, 2, 3], [3, 1]), tensor([1, 2, 3], [3, 1])).cosineDistances.length, 1);
});

test('logits by name or choice: KL of the softmax in nats, unmoved by a shift, and top-1 agreement', () => {
  const [original, changed] = [tensor([0, Math.log(3), 5, 5], [2, 2], 'float64'), tensor([100, 100, 7, 9], [2, 2], 'float64')];
  const drift = only(original, changed, 'logits');
  const first = 0.25 * Math.log(0.25 / 0.5) + 0.75 * Math.log(0.75 / 0.5);
  const other = 1 / (1 + Math.exp(2));
  const second = 0.5 * Math.log(0.5 / other) + 0.5 * Math.log(0.5 / (1 - other));
  near(drift.divergence!, (first + second) / 2);
  // The first row's changed ties fall to element 0; in the second, the original's tie lets either be right.
  assert.equal(drift.agreement, 0.5);
  assert.equal(only(original, changed).kind, 'vectors');
  assert.equal(only(original, changed, 'out', 'logits').divergence, drift.divergence);
});

test('rows within [0, 1] that sum to 1 are probabilities, and KL stays finite where one underflowed', () => {
  const drift = only(tensor([0.25, 0.75], [1, 2]), tensor([0.5, 0.5], [1, 2]));
  assert.equal(drift.kind, 'probabilities');
  near(drift.divergence!, 0.25 * Math.log(0.5) + 0.75 * Math.log(1.5), 1e-7);
  near(
    only(tensor([0.5, 0.5], [1, 2]), tensor([1, 0], [1, 2])).divergence!,
    -0.5 * Math.log(2) * 1 - 0.5 * Math.log(2) + 63 * Math.log(2),
    1e-6,
  );
  assert.equal(only(tensor([0.5, 0.4, 0.5, 0.5], [2, 2]), tensor([0.5, 0.5, 0.5, 0.5], [2, 2])).kind, 'vectors');
  assert.match(faultOf(tensor([0.25, 0.75], [1, 2]), tensor([0.5, 0.7], [1, 2])), /changed vector sums to 1\.2, expected 1/);
  assert.match(faultOf(tensor([0.25, 0.75], [1, 2]), tensor([1.5, -0.5], [1, 2])), /holds 1\.5, expected a probability/);
});

test('whole numbers are labels: the share that is the same', () => {
  const drift = only(tensor([1, 2, 3, 4], [2, 2], 'int64'), tensor([1, 2, 3, 5], [2, 2], 'int64'));
  assert.deepEqual([drift.kind, drift.agreement, drift.relativeError, drift.identical], ['labels', 0.75, null, false]);
});

test('NaN, infinities, other shapes, types, missing, added and empty outputs are faults that say where', () => {
  const fine = tensor([1, 2, 3, 4], [2, 2]);
  assert.match(faultOf(fine, tensor([1, 2, 3, NaN], [2, 2])), /output out: the changed element 1 is NaN \(vector 1 of 2\)/);
  assert.match(faultOf(tensor([1, -Infinity, 3, 4], [2, 2]), fine), /the original element 1 is -Infinity/);
  assert.match(faultOf(fine, tensor([NaN, 1, 1, 1], [2, 2], 'float16')), /changed element 0 is NaN/);
  assert.match(faultOf(fine, tensor([1, 2, 3, 4], [4, 1])), /changed shape is \[4, 1\], expected \[2, 2\]/);
  assert.match(faultOf(fine, tensor([1, 2, 3, 4], [2, 2], 'int32')), /changed type is int32, expected float32/);
  assert.match(faultOf(tensor([], [0, 4]), tensor([], [0, 4])), /nothing was compared/);
  assert.match(faultOf(tensor([0, 0]), tensor([0, 1])), /all zeros/);
  assert.match(faultOf(tensor([1e200, 1], [2], 'float64'), tensor([1, 1], [2], 'float64')), /too large/);
  assert.equal(itemDrift('item', { a: fine }, {}).state, 'fault');
  assert.equal(itemDrift('item', { a: fine }, { a: fine, b: fine }).state, 'fault');
  assert.equal(itemDrift('item', {}, {}).state, 'fault');
});

test('data that are not what type and dims say, or a kind of no output, are errors', () => {
  const lying: Tensor = { type: 'float16', dims: [2], data: new Float32Array(2) };
  assert.throws(() => itemDrift('item', { a: lying }, { a: lying }), {
    code: 'INVALID_DATA',
    message: /Float32Array of 2, expected Uint16Array of 2/,
  });
  const short: Tensor = { type: 'float32', dims: [3], data: new Float32Array(2) };
  assert.throws(() => itemDrift('item', { a: short }, { a: short }), { code: 'INVALID_DATA' });
  assert.throws(() => itemDrift('item', { a: tensor([1]) }, { a: tensor([1]) }, { b: 'logits' }), {
    code: 'INVALID_DATA',
    message: /no output b/,
  });
});

const noisy = (item: number, noise: number) => {
  const stream = new RandomStream(item, 'drift');
  const values = Array.from({ length: 256 }, () => stream.normal());
  const original = { logits: tensor(values, [4, 64]) };
  const changed = { logits: tensor(values.map((value) => value + noise * stream.normal()), [4, 64]) }; // prettier-ignore
  return itemDrift(`item ${item}`, original, changed);
};
const summaryOf = (noise: number, items = 12) =>
  summariseDrift(
    Array.from({ length: items }, (_, item) => noisy(item, noise)),
    { seed: 1 },
  );

test('over items: means with intervals that hold them, and the pooled 5th percentile of the cosine', () => {
  const summary = summaryOf(0.1);
  assert.ok(summary.state === 'measured');
  const { relativeError, cosineDistance, cosineFifthPercentile, divergence, vectors } = summary.outputs[0]!;
  for (const { low, mean, high, method } of [relativeError!, cosineDistance!, divergence!]) {
    assert.ok(low < mean && mean < high && method === 'bootstrap', `${low} ${mean} ${high} ${method}`);
  }
  // Noise of .1 turns a random vector by an angle of .1.
  assert.ok(relativeError!.low < 0.1 && relativeError!.high > 0.1 && Math.abs(cosineDistance!.mean / 0.005 - 1) < 0.2);
  const pooled = Array.from({ length: 12 }, (_, item) => noisy(item, 0.1)).flatMap((drift) =>
    drift.state === 'measured' ? [...drift.outputs[0]!.cosineDistances] : [],
  );
  const below = pooled.filter((distance) => 1 - distance < cosineFifthPercentile!).length;
  assert.equal(vectors, 48);
  assert.equal(below, 3);
});

test('judges by limits: within, beyond, neither; and says which figure', () => {
  const summary = summaryOf(0.1);
  assert.deepEqual(judgeDrift(summary, { relativeError: 0.2 }).outcome, 'pass');
  const beyond = judgeDrift(summary, { relativeError: 0.2, cosineDistance: 0.001 });
  assert.equal(beyond.outcome, 'regression');
  assert.match(beyond.reason, /^output logits: 1 − cosine of 0\.00\d+ \(.*\) is beyond the limit of 0\.001$/);
  assert.ok(beyond.marginsLost > 4 && beyond.marginsLost < 6);
  const error = summary.state === 'measured' ? summary.outputs[0]!.relativeError! : assert.fail();
  assert.equal(judgeDrift(summary, { relativeError: error.mean }).outcome, 'inconclusive');
  assert.throws(() => judgeDrift(summary, {}), { code: 'INVALID_DATA' });
  assert.throws(() => judgeDrift(summary, { relativeError: NaN }), { code: 'INVALID_DATA' });
});

test('one item shows nothing of others, unless its outputs are identical; one fault fails the whole', () => {
  assert.equal(judgeDrift(summaryOf(0.1, 1), { relativeError: 0.5 }).outcome, 'inconclusive');
  assert.equal(judgeDrift(summaryOf(0, 3), { disagreement: 0.01 }).outcome, 'pass');
  const summary = summariseDrift([noisy(1, 0), noisy(2, NaN)], { seed: 1 });
  const judged = judgeDrift(summary, { relativeError: 1e9 });
  assert.equal(judged.outcome, 'regression');
  assert.equal(judged.marginsLost, Infinity);
  assert.match(judged.reason, /1 of 2 items are faulty: item 2: output logits: the changed element 0 is NaN/);
  assert.throws(() => summariseDrift([], { seed: 1 }), { code: 'INVALID_DATA' });
});
