import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterBootstrap } from './cluster-bootstrap.ts';
import { drawBelow, seededGenerator } from './resample.ts';
import { meanInterval } from './student.ts';
import { median } from './order-statistics.ts';

const generator = seededGenerator(3, 'blocks');
const exponential = () => -Math.log((drawBelow(generator, 2 ** 30) + 0.5) / 2 ** 30);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
/** Blocks of four values that share a skewed effect of mean 1. */
const skewedBlocks = (count: number) =>
  Array.from({ length: count }, () => {
    const shared = exponential();
    return Array.from({ length: 4 }, () => shared + 0.1 * (exponential() - 1));
  });
const options = { seed: 1, tail: 0.025 };

test('the interval covers the mean of skewed blocks close to 95 % of the time, where Student’s does not', () => {
  const runs = 1000;
  let covered = 0;
  let student = 0;
  for (let run = 0; run < runs; run += 1) {
    const blocks = skewedBlocks(12);
    const { low, high } = clusterBootstrap(blocks, 'mean', { seed: run, tail: 0.025, replicates: 999 });
    if (low <= 1 && 1 <= high) covered += 1;
    const interval = meanInterval(blocks.map(mean), 0.025);
    if (interval.low <= 1 && 1 <= interval.high) student += 1;
  }
  // Three standard errors of 1000 runs are 2 %.
  assert.ok(covered / runs > 0.925 && covered / runs < 0.97, `${covered / runs}`);
  assert.ok(student < covered, `Student ${student / runs}, bootstrap ${covered / runs}`);
});

test('of symmetric blocks it agrees with Student’s interval', () => {
  const blocks = Array.from({ length: 20 }, (_, index) => [index - 9.5]);
  const { estimate, low, high } = clusterBootstrap(blocks, 'mean', options);
  const student = meanInterval(blocks.flat(), 0.025);
  assert.ok(Math.abs(estimate) < 1e-12);
  assert.ok(Math.abs(low / student.low - 1) < 0.05 && Math.abs(high / student.high - 1) < 0.05, `${low} … ${high}`);
});

test('the closed form and the jackknife agree on the mean of blocks of one size', () => {
  const blocks = skewedBlocks(8);
  const quick = clusterBootstrap(blocks, 'mean', options);
  const slow = clusterBootstrap(blocks, mean, options);
  for (const end of ['estimate', 'low', 'high'] as const) assert.ok(Math.abs(quick[end] - slow[end]) < 1e-9, end);
});

test('the estimate is the statistic of all values pooled, large blocks counting for more', () => {
  const blocks = [[0, 0, 0, 0], [4], [2, 2]];
  assert.equal(clusterBootstrap(blocks, 'mean', options).estimate, 8 / 7);
  assert.equal(clusterBootstrap(blocks, median, options).estimate, median(blocks.flat()));
});

test('the same seed gives the same interval, another one nearly the same', () => {
  const blocks = skewedBlocks(10);
  const first = clusterBootstrap(blocks, 'mean', options);
  assert.deepEqual(clusterBootstrap(blocks, 'mean', options), first);
  const other = clusterBootstrap(blocks, 'mean', { ...options, seed: 2 });
  assert.notEqual(other.low, first.low);
  assert.ok(Math.abs((other.high - other.low) / (first.high - first.low) - 1) < 0.15);
});

test('negating every value mirrors the interval', () => {
  const blocks = skewedBlocks(9);
  const there = clusterBootstrap(blocks, 'mean', options);
  const back = clusterBootstrap(
    blocks.map((block) => block.map((value) => -value)),
    'mean',
    options,
  );
  assert.ok(Math.abs(there.low + back.high) < 1e-9 && Math.abs(there.high + back.low) < 1e-9);
});

test('blocks that are all alike have an interval of no width', () => {
  const blocks = [
    [1, 2],
    [2, 1],
    [1, 2],
  ];
  assert.deepEqual(clusterBootstrap(blocks, 'mean', options), { estimate: 1.5, low: 1.5, high: 1.5 });
  assert.deepEqual(
    clusterBootstrap(blocks, (values) => Math.max(...values), options),
    { estimate: 2, low: 2, high: 2 },
  );
});

test('three blocks are the fewest, and give an interval about the estimate', () => {
  const { estimate, low, high } = clusterBootstrap(
    [
      [1, 2],
      [2, 4],
      [1.5, 1],
    ],
    'mean',
    options,
  );
  assert.ok(low < estimate && estimate < high && Number.isFinite(low) && Number.isFinite(high));
  assert.throws(() => clusterBootstrap([[1], [2]], 'mean', options), /at least 3 blocks, got 2/);
  assert.throws(() => clusterBootstrap([[1], [2], []], 'mean', options), RangeError);
  assert.throws(() => clusterBootstrap([[1], [2], [NaN]], 'mean', options), RangeError);
  assert.throws(() => clusterBootstrap([[1], [2], [3]], 'mean', { ...options, tail: 0.5 }), RangeError);
});
