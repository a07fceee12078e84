import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { median, medianAbsoluteDeviation, medianIntervalSorted, quantile } from './order-statistics.ts';

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test('the median is the middle sample, or the mean of the two middle ones, and leaves its input as it was', () => {
  const samples = [9, 1, 5];
  assert.equal(median(samples), 5);
  assert.deepEqual(samples, [9, 1, 5]);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test('the MAD is the unscaled median distance to the median, unmoved by one wild sample', () => {
  assert.equal(medianAbsoluteDeviation([1, 1, 2, 2, 4, 6, 9]), 1);
  assert.equal(medianAbsoluteDeviation([1, 2, 3, 4, 1e9]), 1);
  assert.equal(medianAbsoluteDeviation([7]), 0);
});

test('quantiles follow definition 7, for odd and even counts alike', () => {
  assert.equal(quantile([1, 2, 3, 4], 0.25), 1.75);
  assert.equal(quantile([5, 1, 2, 3, 4], 0.25), 2);
  assert.equal(quantile(range(1, 101), 0.99), 100);
  assert.equal(quantile([3, 8], 0), 3);
  assert.equal(quantile([3, 8], 1), 8);
});

test('an empty sample and a p outside [0, 1] are refused', () => {
  assert.throws(() => median([]));
  assert.throws(() => quantile([], 0.5), RangeError);
  assert.throws(() => medianIntervalSorted([]), RangeError);
  assert.throws(() => quantile([1], 1.01), RangeError);
});

test('the interval of the median takes the ranks of the binomial tables', () => {
  // Ranks at 95 %: n = 6 → 1 and 6 (96.9 %), n = 10 → 2 and 9 (97.9 %), n = 20 → 6 and 15 (95.9 %), n = 100 → 40 and 61 (96.5 %).
  for (const [count, low, high, coverage] of [
    [6, 1, 6, 0.96875],
    [10, 2, 9, 0.97852],
    [20, 6, 15, 0.9586],
    [100, 40, 61, 0.9648],
  ] as const) {
    const interval = medianIntervalSorted(range(1, count));
    assert.deepEqual([interval.low, interval.high], [low, high], `n = ${count}`);
    assert.ok(Math.abs(interval.coverage - coverage) < 1e-4, `n = ${count}: ${interval.coverage}`);
  }
});

test('a sample too small for the confidence gets its whole range, and says what that covers', () => {
  assert.deepEqual(medianIntervalSorted(range(1, 5)), { low: 1, high: 5, coverage: 0.9375 });
  assert.deepEqual(medianIntervalSorted([1, 3]), { low: 1, high: 3, coverage: 0.5 });
  assert.deepEqual(medianIntervalSorted([3]), { low: 3, high: 3, coverage: 0 });
});

test('thousands of samples do not underflow the binomial', () => {
  const interval = medianIntervalSorted(range(1, 5000));
  // The normal approximation's ranks: 2500 ± 1.96·√5000/2 = 2431 and 2570.
  assert.ok(Math.abs(interval.low - 2431) <= 1 && Math.abs(interval.high - 2570) <= 1, JSON.stringify(interval));
  assert.ok(interval.coverage >= 0.95 && interval.coverage < 0.955);
});

test('the interval covers the median as often as it claims, for a skewed distribution', () => {
  const generator = xoroshiro128plus(7);
  const draws = 2000;
  let covered = 0;
  for (let draw = 0; draw < draws; draw++) {
    const samples = range(1, 25).map(() => -Math.log(1 - uniformFloat64(generator)));
    const { low, high } = medianIntervalSorted(samples.toSorted((a, b) => a - b));
    if (low <= Math.LN2 && Math.LN2 <= high) covered++;
  }
  // n = 25 attains 95.7 %; three standard errors of 2000 draws are 1.4 %.
  assert.ok(Math.abs(covered / draws - 0.957) < 0.014, String(covered / draws));
});
