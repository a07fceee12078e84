import assert from 'node:assert/strict';
import { test } from 'node:test';
import { segmentsOf } from './change-points.ts';
import { normalQuantile } from './normal.ts';
import { drawBelow, seededGenerator } from './resample.ts';

const generator = seededGenerator(1, 'change-points');
const normal = () => normalQuantile((drawBelow(generator, 2 ** 30) + 0.5) / 2 ** 30);
const series = (length: number, level: (index: number) => number = () => 0) =>
  Array.from({ length }, (_, index) => level(index) + normal());
/** Where a level begins that is not the first. */
const starts = (values: readonly number[]) =>
  segmentsOf(values)
    .slice(1)
    .map(({ start }) => start);

test('steady noise of 100 figures shows a change in at most 2 % of series', () => {
  let changed = 0;
  for (let run = 0; run < 2000; run += 1) if (starts(series(100)).length > 0) changed += 1;
  assert.ok(changed <= 40, `${changed} of 2000`);
});

test('short steady series and heavy tails stay below 3 %', () => {
  const heavy = () => normal() / Math.sqrt((normal() ** 2 + normal() ** 2 + normal() ** 2) / 3);
  for (const draw of [() => series(8), () => series(20), () => Array.from({ length: 60 }, heavy)]) {
    let changed = 0;
    for (let run = 0; run < 1000; run += 1) if (starts(draw()).length > 0) changed += 1;
    assert.ok(changed <= 30, `${changed} of 1000`);
  }
});

test('a step of three standard deviations with ten figures each side is found, and where it is', () => {
  let found = 0;
  let placed = 0;
  for (let run = 0; run < 1000; run += 1) {
    const changes = starts(series(20, (index) => (index < 10 ? 0 : 3)));
    if (changes.length > 0) found += 1;
    if (changes.length === 1 && Math.abs(changes[0]! - 10) <= 1) placed += 1;
  }
  assert.ok(found >= 950, `found ${found} of 1000`);
  assert.ok(placed >= 900, `placed ${placed} of 1000`);
});

test('segments tile the series and carry their medians', () => {
  const values = [10, 10.1, 9.9, 10, 10.1, 9.9, 12, 12.1, 11.9, 12, 12.1, 11.9, 12, 6, 6.1, 5.9, 6];
  assert.deepEqual(segmentsOf(values), [
    { start: 0, end: 6, level: 10 },
    { start: 6, end: 13, level: 12 },
    { start: 13, end: 17, level: 6 },
  ]);
});

test('the segmentation is the cheapest of all that there are', () => {
  // Against every choice of cuts, on a series without outliers or short levels.
  const values = [0, 1, 0, 1, 3, 4, 3, 4, 3, 1, 0, 1, 0, 1, 0, 1, 0, 1];
  const cost = (ends: readonly number[]) =>
    ends.reduce((sum, end, index) => {
      const part = values.slice(ends[index - 1] ?? 0, end);
      const mean = part.reduce((a, b) => a + b, 0) / part.length;
      return sum + part.reduce((a, b) => a + (b - mean) ** 2, 0);
    }, 0);
  assert.deepEqual(starts(values), [4, 9]);
  for (let first = 3; first <= 12; first += 1) {
    for (let second = first + 3; second <= 15; second += 1) assert.ok(cost([first, second, 18]) >= cost([4, 9, 18]) - 1e-9);
  }
});

test('one or two wild figures make no change, three of them are a level', () => {
  const values = series(40).map((value) => 100 + value);
  assert.deepEqual(starts(values), []);
  assert.deepEqual(starts(values.with(20, 1e6)), []);
  assert.deepEqual(starts(values.with(20, 1e6).with(21, 1e6)), []);
  assert.deepEqual(starts(values.with(0, 1e6).with(39, -1e6)), []);
  assert.deepEqual(starts(values.with(20, 1e6).with(21, 1e6).with(22, 1e6)), [20, 23]);
});

test('scale, shift and direction of time change nothing but what they must', () => {
  const values = series(60, (index) => (index < 35 ? 0 : 4));
  const [cut] = starts(values);
  assert.deepEqual(starts(values.map((value) => 1e-9 * value + 3)), [cut]);
  assert.deepEqual(starts(values.map((value) => -1e6 * value)), [cut]);
  assert.deepEqual(starts(values.toReversed()), [60 - cut!]);
});

test('figures without noise are cut exactly where they change', () => {
  assert.deepEqual(starts(Array.from({ length: 30 }, () => 7)), []);
  assert.deepEqual(starts(Array.from({ length: 30 }, (_, index) => (index < 12 ? 7 : 7.001))), [12]);
  assert.deepEqual(starts(Array.from({ length: 30 }, () => 0)), []);
  assert.deepEqual(starts([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]), [5]);
});

test('ties of a coarse timer are no changes', () => {
  let changed = 0;
  for (let run = 0; run < 500; run += 1) {
    if (starts(Array.from({ length: 60 }, () => (drawBelow(generator, 10) < 3 ? 2 : 1))).length > 0) changed += 1;
  }
  assert.ok(changed <= 10, `${changed} of 500`);
});

test('short series are one segment, none is none, and figures that are no numbers are refused', () => {
  assert.deepEqual(segmentsOf([]), []);
  assert.deepEqual(segmentsOf([1, 1, 1, 9, 9]), [{ start: 0, end: 5, level: 1 }]);
  for (const wild of [NaN, Infinity]) assert.throws(() => segmentsOf([1, 2, wild]), RangeError);
});

test('ten thousand figures with five steps are cut at those five', () => {
  const values = series(10_000, (index) => 3 * Math.floor(index / 1700));
  const changes = starts(values);
  assert.equal(changes.length, 5);
  for (const [index, after] of changes.entries()) assert.ok(Math.abs(after - 1700 * (index + 1)) <= 3, changes.join(' '));
});
