import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bettingInterval, Wager } from './betting.ts';
import { seededGenerator } from './resample.ts';
import { meanInterval } from './student.ts';

const generator = seededGenerator(5, 'betting');
const uniform = () => ((generator.next() >>> 0) + 0.5) / 2 ** 32;

/** Values from 0 to 1 of a known mean. */
const populations = [
  { name: 'right and wrong', mean: 0.5, draw: () => (uniform() < 0.5 ? 1 : 0) },
  { name: 'rarely wrong', mean: 0.98, draw: () => (uniform() < 0.98 ? 1 : 0) },
  { name: 'rarely right', mean: 0.02, draw: () => (uniform() < 0.02 ? 1 : 0) },
  { name: 'evenly spread', mean: 0.5, draw: uniform },
] as const;
const sequences = 10_000;
const length = 100;

test('looked at after every value, no more than 5 % of 10,000 sequences ever refute their true mean', () => {
  for (const { name, mean, draw } of populations) {
    let wrong = 0;
    for (let at = 0; at < sequences; at += 1) {
      const wagers = [new Wager({ mean, floor: 0 }), new Wager({ mean: -mean, floor: -1 })] as const;
      const refuted = [false, false];
      for (let count = 0; count < length; count += 1) {
        const value = draw();
        wagers[0].add(value);
        wagers[1].add(-value);
        for (const [end, wager] of wagers.entries()) refuted[end] ||= wager.refutes(0.025);
      }
      if (refuted[0] || refuted[1]) wrong += 1;
    }
    assert.ok(wrong <= 0.05 * sequences, `${name}: ${wrong}`);
    assert.ok(wrong > 0, `${name}: of so many sequences some come close`);
  }
});

test('the same looks at an interval for a fixed number of values err far more often', () => {
  let wrong = 0;
  for (let at = 0; at < 500; at += 1) {
    const values = Array.from({ length }, uniform);
    const ever = values.some((_, count) => {
      if (count < 5) return false;
      const { low, high } = meanInterval(values.slice(0, count), 0.025);
      return low > 0.5 || high < 0.5;
    });
    if (ever) wrong += 1;
  }
  assert.ok(wrong > 0.1 * 500, `${wrong}`);
});

test('an interval ends where the capital of the definition reaches 1/ε', () => {
  const risks = [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32];
  const parts = [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 32];
  const capital = (values: readonly number[], mean: number, floor: number) =>
    risks.reduce(
      (sum, risk, at) => sum + values.reduce((product, x) => product * (1 + (risk * (x - mean)) / (mean - floor)), parts[at]!),
      0,
    );
  for (const count of [1, 7, 513, 1000]) {
    const values = Array.from({ length: count }, () => 0.3 + 0.4 * uniform());
    const { low, high } = bettingInterval(values, { low: -1, high: 1 }, 0.05);
    const mean = values.reduce((sum, value) => sum + value, 0) / count;
    assert.ok(low < mean && mean < high && low >= -1 && high <= 1, `${count}: ${low} to ${high}`);
    const near = (found: number) => assert.ok(Math.abs(found * 0.05 - 1) < 1e-6, `${count}: ${found}`);
    near(capital(values, low, -1));
    near(
      capital(
        values.map((value) => -value),
        -high,
        -1,
      ),
    );
  }
});

test('an interval shrinks with the number of values, and lies within the range', () => {
  const width = (count: number) => {
    const { low, high } = bettingInterval(new Array<number>(count).fill(0), { low: -1, high: 1 }, 0.05);
    assert.ok(low < 0 && high > 0 && Math.abs(low + high) < 1e-9);
    return high - low;
  };
  const widths = [1, 7, 64, 513].map(width);
  assert.deepEqual(
    widths,
    widths.toSorted((a, b) => b - a),
  );
  assert.ok(widths.at(-1)! < 0.03, `${widths.at(-1)}`);
});

test('an end is the range where the values lie on it, and infinite where the range is', () => {
  assert.deepEqual(bettingInterval([0, 0], { low: 0, high: Infinity }, 0.05), { low: 0, high: Infinity });
  assert.ok(bettingInterval([5, 5, 5, 5], { low: 0, high: Infinity }, 0.05).low > 2);
  assert.deepEqual(bettingInterval([3], { low: -Infinity, high: Infinity }, 0.05), { low: -Infinity, high: Infinity });
});

test('a value below the floor is refused', () => {
  assert.throws(() => new Wager({ mean: 0.5, floor: 0 }).add(-0.1), RangeError);
  assert.throws(() => new Wager({ mean: 0.5, floor: 0 }).add(NaN), RangeError);
});
