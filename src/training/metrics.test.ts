import assert from 'node:assert/strict';
import test from 'node:test';
import { itemScores } from './metrics.ts';

const batch = { items: 2, length: 2, tokens: new Int32Array(4), targets: Int32Array.of(0, 2, -1, 1) };
const logits = Float32Array.of(3, 1, 2, 3, 1, 2, 9, 9, 9, 0, 5, 0);

test('accuracy is the share of an item’s scored positions whose largest logit is right', () => {
  assert.deepEqual(itemScores({ metric: 'accuracy', classes: 3 }, batch, logits), [0.5, 1]);
});

test('of equal logits the lowest class is the answer', () => {
  const one = { items: 1, length: 2, tokens: new Int32Array(2), targets: Int32Array.of(0, 1) };
  assert.deepEqual(itemScores({ metric: 'accuracy', classes: 2 }, one, Float64Array.of(1, 1, 1, 1)), [0.5]);
});

test('bits are the mean of what the right class was not foreseen by', () => {
  const bits = (values: readonly number[], target: number) =>
    Math.log2(values.reduce((sum, value) => sum + Math.exp(value), 0)) - values[target]! / Math.LN2;
  const expected = [(bits([3, 1, 2], 0) + bits([3, 1, 2], 2)) / 2, bits([0, 5, 0], 1)];
  itemScores({ metric: 'bits', classes: 3 }, batch, logits).forEach((score, item) => assert.ok(Math.abs(score - expected[item]!) < 1e-6));
  const uniform = itemScores({ metric: 'bits', classes: 3 }, batch, new Float64Array(12).fill(1000));
  uniform.forEach((score) => assert.ok(Math.abs(score - Math.log2(3)) < 1e-12));
});

test('NaN never passes', () => {
  const broken = logits.slice();
  broken[10] = NaN;
  assert.deepEqual(itemScores({ metric: 'accuracy', classes: 3 }, batch, broken), [0.5, 0]);
  assert.equal(itemScores({ metric: 'bits', classes: 3 }, batch, broken)[1], Infinity);
  broken[9] = NaN;
  broken[10] = 5;
  assert.deepEqual(itemScores({ metric: 'accuracy', classes: 3 }, batch, broken), [0.5, 0]);
});

test('sizes that do not fit, targets out of range and items without a question are refused', () => {
  const scores = (changes: object, classes = 3) => itemScores({ metric: 'accuracy', classes }, { ...batch, ...changes }, logits);
  assert.throws(() => scores({}, 4), /12 logits, expected 2 × 2 × 4/);
  assert.throws(() => scores({ targets: Int32Array.of(0, 2, -1, -1) }), /item 1 has no scored position/);
  assert.throws(() => scores({ targets: Int32Array.of(0, 3, -1, 1) }), /target 3 in item 0/);
});
