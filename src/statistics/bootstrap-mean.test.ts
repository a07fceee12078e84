import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootstrapMeanInterval } from './bootstrap-mean.ts';
import { drawBelow, seededGenerator } from './resample.ts';
import { meanInterval } from './student.ts';

const generator = seededGenerator(3, 'values');
/** Skewed, of mean 1. */
const exponential = () => -Math.log((drawBelow(generator, 2 ** 30) + 0.5) / 2 ** 30);
const skewed = (count: number) => Array.from({ length: count }, exponential);
const options = { seed: 1, tail: 0.025, replicates: 9999 };

test('the interval covers the mean of skewed values close to 95 % of the time, where Student’s does not', () => {
  const runs = 1000;
  let covered = 0;
  let student = 0;
  for (let run = 0; run < runs; run += 1) {
    const values = skewed(12);
    const { low, high } = bootstrapMeanInterval(values, { seed: run, tail: 0.025, replicates: 999 });
    if (low <= 1 && 1 <= high) covered += 1;
    const interval = meanInterval(values, 0.025);
    if (interval.low <= 1 && 1 <= interval.high) student += 1;
  }
  // Three standard errors of 1000 runs are 2 %.
  assert.ok(covered / runs > 0.925 && covered / runs < 0.97, `${covered / runs}`);
  assert.ok(student < covered, `Student ${student / runs}, bootstrap ${covered / runs}`);
});

test('of symmetric values it agrees with Student’s interval', () => {
  const values = Array.from({ length: 20 }, (_, index) => index - 9.5);
  const { low, high } = bootstrapMeanInterval(values, options);
  const student = meanInterval(values, 0.025);
  assert.ok(Math.abs(low / student.low - 1) < 0.05 && Math.abs(high / student.high - 1) < 0.05, `${low} … ${high}`);
});

test('the same seed gives the same interval, another one nearly the same', () => {
  const values = skewed(10);
  const first = bootstrapMeanInterval(values, options);
  assert.deepEqual(bootstrapMeanInterval(values, options), first);
  const other = bootstrapMeanInterval(values, { ...options, seed: 2 });
  assert.notEqual(other.low, first.low);
  assert.ok(Math.abs((other.high - other.low) / (first.high - first.low) - 1) < 0.15);
});

test('negating every value mirrors the interval', () => {
  const values = skewed(9);
  const there = bootstrapMeanInterval(values, options);
  const back = bootstrapMeanInterval(
    values.map((value) => -value),
    options,
  );
  assert.ok(Math.abs(there.low + back.high) < 1e-9 && Math.abs(there.high + back.low) < 1e-9);
});

test('values that are all alike have an interval of no width', () => {
  assert.deepEqual(bootstrapMeanInterval([1.5, 1.5, 1.5], options), { low: 1.5, high: 1.5 });
});

test('three values are the fewest, and give an interval about their mean', () => {
  const { low, high } = bootstrapMeanInterval([1, 2, 1.5], options);
  assert.ok(low < 1.5 && 1.5 < high && Number.isFinite(low) && Number.isFinite(high));
  assert.throws(() => bootstrapMeanInterval([1, 2], options), /at least 3 values, got 2/);
  assert.throws(() => bootstrapMeanInterval([1, 2, NaN], options), RangeError);
  assert.throws(() => bootstrapMeanInterval([1, 2, 3], { ...options, tail: 0.5 }), RangeError);
});
