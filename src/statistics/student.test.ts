import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalQuantile } from './normal.ts';
import { drawBelow, seededGenerator } from './resample.ts';
import { meanInterval, studentCdf, studentQuantile } from './student.ts';

test('the quantiles are those of the t table', () => {
  for (const [p, degrees, expected] of [
    [0.975, 1, 12.706],
    [0.975, 2, 4.303],
    [0.975, 4, 2.776],
    [0.975, 9, 2.262],
    [0.975, 19, 2.093],
    [0.975, 29, 2.045],
    [0.95, 4, 2.132],
    [0.99, 10, 2.764],
    [0.995, 30, 2.75],
    [0.9, 5, 1.476],
  ] as const) {
    assert.ok(Math.abs(studentQuantile(p, degrees) - expected) < 5.1e-4, `t(${p}, ${degrees}) = ${studentQuantile(p, degrees)}`);
  }
});

test('quantile and distribution undo each other, are symmetric, and become the normal’s', () => {
  for (const degrees of [1, 2, 4, 19, 200]) {
    for (const p of [0.001, 0.0175, 0.3, 0.5, 0.9, 0.999]) {
      const t = studentQuantile(p, degrees);
      assert.ok(Math.abs(studentCdf(t, degrees) - p) < 1e-7, `${p}, ${degrees}`);
      assert.ok(Math.abs(studentQuantile(1 - p, degrees) + t) < 1e-6 * (1 + Math.abs(t)));
    }
  }
  assert.ok(Math.abs(studentQuantile(0.975, 1e6) - normalQuantile(0.975)) < 1e-5);
});

test('Student’s closed forms for one and two degrees hold', () => {
  for (const t of [-5, -1, 0, 0.3, 2, 12]) {
    assert.ok(Math.abs(studentCdf(t, 1) - (0.5 + Math.atan(t) / Math.PI)) < 2e-8);
    assert.ok(Math.abs(studentCdf(t, 2) - 0.5 * (1 + t / Math.sqrt(2 + t * t))) < 1e-8);
  }
});

test('the lower tail keeps its digits however far out, where 1 − P(T ≤ t) has none left', () => {
  for (const t of [3, 20, 100, 1e6, 1e9]) {
    assert.ok(Math.abs(studentCdf(-t, 1) / (Math.atan(1 / t) / Math.PI) - 1) < 2e-7, `1 degree, ${t}`);
    const root = Math.sqrt(2 + t * t);
    assert.ok(Math.abs(studentCdf(-t, 2) / (1 / (root * (root + t))) - 1) < 2e-7, `2 degrees, ${t}`);
  }
  // As @stdlib/stats-base-dists-t-cdf 0.2 has them.
  for (const [t, degrees, expected] of [
    [-20, 9, 4.539760649958e-9],
    [-40, 30, 6.863022597203e-28],
  ] as const) {
    assert.ok(Math.abs(studentCdf(t, degrees) / expected - 1) < 2e-7, `${t}, ${degrees}`);
  }
});

test('what is no probability, or has no degree of freedom, is refused', () => {
  for (const p of [0, 1, -1, NaN]) assert.throws(() => studentQuantile(p, 4), RangeError);
  for (const degrees of [0, 0.5, NaN]) {
    assert.throws(() => studentQuantile(0.9, degrees), RangeError);
    assert.throws(() => studentCdf(1, degrees), RangeError);
  }
});

test('Student’s own sleep data give his mean and the textbook’s interval', () => {
  // Additional hours of sleep by drug 2 over drug 1 (Biometrika 6, 1908): mean 1.58, s = 1.230, 95 % interval 0.70 … 2.46.
  const { mean, low, high, standardDeviation, count } = meanInterval([1.2, 2.4, 1.3, 1.3, 0, 1, 1.8, 0.8, 4.6, 1.4], 0.025);
  assert.equal(count, 10);
  assert.ok(Math.abs(mean - 1.58) < 1e-12);
  assert.ok(Math.abs(standardDeviation - 1.23) < 1e-3);
  assert.ok(Math.abs(low - 0.7) < 1e-3 && Math.abs(high - 2.46) < 1e-3, `${low} … ${high}`);
});

test('one value has an unbounded interval, none is refused, equal ones have no width', () => {
  assert.deepEqual(meanInterval([3], 0.025), { mean: 3, low: -Infinity, high: Infinity, standardDeviation: Infinity, count: 1 });
  assert.throws(() => meanInterval([], 0.025), RangeError);
  assert.deepEqual(meanInterval([2, 2, 2], 0.025), { mean: 2, low: 2, high: 2, standardDeviation: 0, count: 3 });
});

test('five normal values are covered as often as claimed', () => {
  const generator = seededGenerator(4, 'student');
  const normal = () => normalQuantile((drawBelow(generator, 2 ** 30) + 0.5) / 2 ** 30);
  let covered = 0;
  for (let run = 0; run < 4000; run += 1) {
    const { low, high } = meanInterval(Array.from({ length: 5 }, normal), 0.025);
    if (low <= 0 && 0 <= high) covered += 1;
  }
  // Three standard errors of 4000 runs are 1 %.
  assert.ok(Math.abs(covered / 4000 - 0.95) < 0.0104, String(covered / 4000));
});
