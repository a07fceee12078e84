import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalQuantile } from '../statistics/normal.ts';
import { drawBelow, seededGenerator } from '../statistics/resample.ts';
import { studentQuantile } from '../statistics/student.ts';
import type { Look } from './sequential.ts';
import { defaultLooks, look } from './sequential.ts';

const bounds = { margin: Math.log(1.05), floor: 0 };
const generator = seededGenerator(5, 'sequential');
const normal = () => normalQuantile((drawBelow(generator, 2 ** 30) + 0.5) / 2 ** 30);
const blocksAt = (count: number, effect: number, deviation = 0.004) => Array.from({ length: count }, () => effect + deviation * normal());
/** Adds blocks look by look until there is a verdict. */
const verdictOn = (draw: () => number, { margin, floor } = bounds): Look => {
  const blocks: number[] = [];
  for (;;) {
    blocks.push(draw());
    const state = look(blocks, { margin, floor });
    if (state.state !== 'more') return state;
  }
};

test('equal arms pass, a slowdown of the margin is a regression, a speed-up of it an improvement', () => {
  assert.equal(look(blocksAt(5, 0), bounds).state, 'pass');
  assert.equal(look(blocksAt(5, bounds.margin), bounds).state, 'regression');
  assert.equal(look(blocksAt(5, -bounds.margin), bounds).state, 'improvement');
});

test('swapping the arms negates the effect and mirrors regression and improvement', () => {
  for (let run = 0; run < 200; run += 1) {
    const blocks = blocksAt(20, 0.02 * normal(), 0.01);
    const there = look(blocks, bounds);
    const back = look(
      blocks.map((effect) => -effect),
      bounds,
    );
    assert.deepEqual([back.mean, back.low, back.high], [-there.mean, -there.high, -there.low]);
    assert.equal(back.state === 'regression', there.state === 'improvement');
    assert.equal(back.state === 'improvement', there.state === 'regression');
  }
});

test('the same samples give the same result, and are left as they were', () => {
  const blocks = blocksAt(10, 0.01);
  const copy = [...blocks];
  assert.deepEqual(look(blocks, bounds), look(blocks, bounds));
  assert.deepEqual(blocks, copy);
});

test('asking between looks changes nothing, nor do blocks beyond the last look', () => {
  const blocks = blocksAt(40, 0.03, 0.05);
  for (const [from, to] of [
    [5, 9],
    [10, 14],
    [15, 19],
    [20, 40],
  ] as const) {
    for (let count = from; count <= to; count += 1)
      assert.deepEqual(look(blocks.slice(0, count), bounds), look(blocks.slice(0, from), bounds));
  }
});

test('before the first look there is no verdict, however clear the blocks are', () => {
  for (let count = 1; count < 5; count += 1) assert.equal(look(blocksAt(count, 1), bounds).state, 'more');
  assert.throws(() => look([], bounds), RangeError);
});

test('noise that hides the margin asks for more, and is inconclusive only at the last look', () => {
  const wide = Array.from({ length: 20 }, (_, index) => 0.03 + (index % 2 === 0 ? 0.2 : -0.2));
  for (const count of [5, 10, 15]) assert.equal(look(wide.slice(0, count), bounds).state, 'more');
  assert.equal(look(wide, bounds).state, 'inconclusive');
});

test('the ends are Student’s at the plan’s one-sided error', () => {
  const { low, high, mean, standardDeviation, count } = look(blocksAt(12, 0.02), bounds);
  assert.equal(count, 10);
  const reach = (studentQuantile(1 - defaultLooks.tail, 9) * standardDeviation) / Math.sqrt(10);
  assert.ok(Math.abs(mean - low - reach) < 1e-12 && Math.abs(high - mean - reach) < 1e-12);
});

test('a change below the floor of the host, or below half the margin, is no regression', () => {
  const change = Math.log(1.03);
  assert.equal(look(blocksAt(20, change, 1e-4), bounds).state, 'regression');
  assert.equal(look(blocksAt(20, change, 1e-4), { ...bounds, floor: 0.04 }).state, 'pass');
  assert.equal(look(blocksAt(20, Math.log(1.02), 1e-4), bounds).state, 'pass');
  assert.equal(look(blocksAt(20, -Math.log(1.03), 1e-4), { ...bounds, floor: 0.04 }).state, 'pass');
});

test('a slowdown past the margin never passes for the floor’s sake', () => {
  assert.equal(look(blocksAt(20, 0.06, 1e-4), { ...bounds, floor: 0.1 }).state, 'inconclusive');
});

test('at a true slowdown of the margin at most 5 % of comparisons pass, whatever the noise', () => {
  for (const deviation of [0.01, 0.05, 0.2]) {
    let passes = 0;
    for (let run = 0; run < 2000; run += 1) {
      if (verdictOn(() => bounds.margin + deviation * normal()).state === 'pass') passes += 1;
    }
    // 5 % and three standard errors of 2000 runs.
    assert.ok(passes / 2000 <= 0.05 + 0.0146, `deviation ${deviation}: ${passes / 2000}`);
  }
});

test('a plan of one look judges there and nowhere else', () => {
  const plan = { looks: [3], tail: 0.025 };
  assert.equal(look([0, 0.001], bounds, plan).state, 'more');
  assert.equal(look([0, 0.001, -0.001], bounds, plan).state, 'pass');
  assert.equal(look([0, 0.5, -0.5], bounds, plan).state, 'inconclusive');
});
