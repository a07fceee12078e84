import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addReplicateSums, drawBelow, ratioInterval, seededGenerator } from './resample.ts';

const replicates = 2000;
const uniform = (generator: ReturnType<typeof seededGenerator>) => (generator.next() >>> 0) / 0x1_0000_0000;

/** Rows of [numerator, denominator], resampled. */
function resample(rows: readonly (readonly [number, number])[], strata: readonly number[], seed = 1): Float64Array {
  const sums = new Float64Array(2 * replicates);
  addReplicateSums(sums, { columns: 2, values: Float64Array.from(rows.flat()), strata }, seededGenerator(seed, 'test'));
  return sums;
}

function varianceOf(sums: Float64Array, column: number): number {
  const values = Array.from({ length: replicates }, (_, index) => sums[2 * index + column]!);
  const mean = values.reduce((a, b) => a + b, 0) / replicates;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (replicates - 1);
}

test('the same seed resamples alike, another seed or name does not', () => {
  const rows = Array.from({ length: 10 }, (_, index) => [index, 1] as const);
  assert.deepEqual(resample(rows, [10], 1), resample(rows, [10], 1));
  assert.notDeepEqual(resample(rows, [10], 1), resample(rows, [10], 2));
  assert.notEqual(seededGenerator(1, 'a').next(), seededGenerator(1, 'b').next());
});

test('draws below a bound take every value equally often', () => {
  const generator = seededGenerator(3, 'draws');
  const counts = [0, 0, 0, 0, 0];
  for (let draw = 0; draw < 10_000; draw += 1) counts[drawBelow(generator, 5)]! += 1;
  // Three standard deviations of a binomial of 10 000 draws at 1/5 are 120.
  for (const count of counts) assert.ok(Math.abs(count - 2000) < 120, counts.join(' '));
});

test('the spread of a sum is the unbiased one, for strata of two as of many', () => {
  // Of a stratum of m rows with variance s² (over m − 1) the sum has variance m·s²: 2·0.5 = 1 for {0, 1}.
  const pairs = Array.from({ length: 200 }, (_, index) => [index % 2, 1] as const);
  const twos = varianceOf(
    resample(
      pairs,
      Array.from({ length: 100 }, () => 2),
    ),
    0,
  );
  assert.ok(Math.abs(twos / 100 - 1) < 0.12, String(twos));
  const one = varianceOf(resample(pairs, [200]), 0);
  assert.ok(Math.abs(one / (200 * (50 / 199)) - 1) < 0.12, String(one));
});

test('differences between strata are no spread', () => {
  const rows = Array.from({ length: 40 }, (_, index) => [index < 20 ? 0 : 1, 1] as const);
  assert.equal(varianceOf(resample(rows, [20, 20]), 0), 0);
  assert.ok(varianceOf(resample(rows, [40]), 0) > 5);
});

test('strata of one spread a ratio as an unstratified sample does', () => {
  const generator = seededGenerator(5, 'singles');
  const rows = Array.from({ length: 300 }, () => [uniform(generator), 1] as const);
  const ratio = { columns: 2, numerator: 0, denominator: 1 };
  const singles = ratioInterval(
    resample(
      rows,
      Array.from({ length: 300 }, () => 1),
    ),
    ratio,
  )!;
  const plain = ratioInterval(resample(rows, [300]), ratio)!;
  assert.ok(Math.abs((singles.high - singles.low) / (plain.high - plain.low) - 1) < 0.12, JSON.stringify({ singles, plain }));
});

test('the interval of a ratio of sums agrees with the delta method', () => {
  const generator = seededGenerator(7, 'delta');
  const rows = Array.from({ length: 400 }, () => {
    const size = 1 + 99 * uniform(generator);
    return [size * (0.2 + 0.2 * uniform(generator)), size] as const;
  });
  const numerator = rows.reduce((sum, row) => sum + row[0], 0);
  const denominator = rows.reduce((sum, row) => sum + row[1], 0);
  const value = numerator / denominator;
  const squares = rows.reduce((sum, row) => sum + (row[0] - value * row[1]) ** 2, 0);
  const half = (1.96 * Math.sqrt(squares)) / denominator;
  const interval = ratioInterval(resample(rows, [400]), { columns: 2, numerator: 0, denominator: 1 })!;
  assert.ok(Math.abs(interval.low - (value - half)) < 0.1 * half, JSON.stringify({ interval, value, half }));
  assert.ok(Math.abs(interval.high - (value + half)) < 0.1 * half, JSON.stringify({ interval, value, half }));
});

test('a ratio whose denominator is mostly 0 has no interval', () => {
  const ratio = { columns: 2, numerator: 0, denominator: 1 };
  assert.equal(ratioInterval(Float64Array.from([1, 0, 1, 0, 1, 1]), ratio), null);
  assert.deepEqual(ratioInterval(Float64Array.from([1, 2, 1, 0, 1, 2]), ratio), { low: 0.5, high: 0.5 });
  assert.equal(ratioInterval(new Float64Array(0), ratio), null);
});

test('strata are resampled in the order of their rows', () => {
  const rows = [...Array.from({ length: 4 }, () => [0, 1] as const), ...Array.from({ length: 6 }, () => [1, 1] as const)];
  const sums = resample(rows, [4, 6]);
  assert.ok(sums.every((value, index) => Math.abs(value - (index % 2 === 0 ? 6 : 10)) < 1e-9));
});
