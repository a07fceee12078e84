import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawBelow, seededGenerator } from './resample.ts';
import { discordanceProbabilities, theilSen } from './theil-sen.ts';

test('Sen’s own example has slope 4 and ranks from Kendall’s table', () => {
  // Sen (JASA 63, 1968), §6. Of 7 points P(S ≥ 15) = .015 and P(S ≥ 13) = .035.
  const x = [1, 2, 3, 4, 10, 12, 18];
  const y = [9, 15, 19, 20, 45, 55, 78];
  const line = theilSen(x, y);
  assert.equal(line.slope, 4);
  assert.equal(line.intercept, 6);
  assert.deepEqual([line.low, line.high], [26 / 7, 35 / 8]);
  assert.ok(Math.abs(line.coverage - (1 - 2 * 0.0151)) < 1e-4, String(line.coverage));
  assert.ok(Math.abs(theilSen(x, y, 0.93).coverage - (1 - 2 * 0.0345)) < 1e-4);
});

test('the null distribution is Kendall’s without ties, and Mann and Whitney’s for two groups', () => {
  const counts = (groups: readonly number[], orders: number) => [...discordanceProbabilities(groups)].map((p) => Math.round(p * orders));
  assert.deepEqual(counts([1, 1, 1, 1], 24), [1, 3, 5, 6, 5, 3, 1]);
  assert.deepEqual(counts([3, 3], 20), [1, 1, 2, 3, 3, 3, 3, 2, 1, 1]);
  assert.deepEqual(counts([2, 1, 2], 30), [1, 2, 4, 5, 6, 5, 4, 2, 1]);
  assert.deepEqual(counts([4], 1), [1]);
  // Mann and Whitney's table for 10 and 10: P(U ≤ 23) = .0216.
  const u = discordanceProbabilities([10, 10]);
  assert.ok(Math.abs(u.slice(0, 24).reduce((sum, p) => sum + p, 0) - 0.0216) < 5e-5);
});

test('memory that grows with the square of the length has slope 2 on logarithms, whatever one wild point says', () => {
  const lengths = [128, 256, 512, 1024, 2048, 4096];
  const bytes = lengths.map((n) => 3 * n * n);
  bytes[2] = 1e12;
  const line = theilSen(lengths.map(Math.log), bytes.map(Math.log));
  assert.ok(Math.abs(line.slope - 2) < 1e-12);
  assert.ok(Math.abs(Math.exp(line.intercept) - 3) < 1e-9);
});

test('too few points for the confidence get the whole range of slopes, and say what it covers', () => {
  assert.deepEqual(theilSen([0, 1], [0, 3]), { slope: 3, intercept: 0, low: 3, high: 3, coverage: 0 });
  const three = theilSen([0, 1, 2], [0, 1, 4]);
  assert.deepEqual([three.low, three.slope, three.high], [1, 2, 3]);
  assert.ok(Math.abs(three.coverage - 2 / 3) < 1e-12);
});

test('the exact ranks and the normal ones meet at sixty points', () => {
  const points = (count: number) => Array.from({ length: count }, (_, index) => index);
  const noise = seededGenerator(1, 'theil-sen');
  const y = points(61).map((x) => 2 * x + drawBelow(noise, 1000) / 50);
  const exact = theilSen(points(60), y.slice(0, 60));
  const normal = theilSen(points(61), y);
  assert.ok(Math.abs((normal.high - normal.low) / (exact.high - exact.low) - 1) < 0.1);
  assert.ok(exact.coverage >= 0.95 && exact.coverage < 0.952, String(exact.coverage));
});

test('the interval covers the slope at least as often as it claims, ties in x and skewed errors or not', () => {
  const generator = seededGenerator(2, 'theil-sen');
  const uniform = () => (drawBelow(generator, 2 ** 30) + 0.5) / 2 ** 30;
  const x = [1, 1, 2, 3, 3, 3, 4, 6];
  let covered = 0;
  let claimed = 0;
  for (let draw = 0; draw < 2000; draw += 1) {
    const line = theilSen(
      x,
      x.map((value) => 5 - 0.5 * value - Math.log(uniform())),
    );
    claimed = line.coverage;
    if (line.low <= -0.5 && -0.5 <= line.high) covered += 1;
  }
  // Three standard errors of 2000 draws are 1.4 %.
  assert.ok(claimed >= 0.95 && Math.abs(covered / 2000 - claimed) < 0.014, `${covered / 2000} of ${claimed}`);
});

test('what has no slope is refused', () => {
  assert.throws(() => theilSen([1, 2], [1]), RangeError);
  assert.throws(() => theilSen([1, 1], [1, 2]), RangeError);
  assert.throws(() => theilSen([], []), RangeError);
  assert.throws(() => theilSen([1, 2], [1, NaN]), RangeError);
});
