import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalQuantile } from '../statistics/normal.ts';
import { drawBelow, seededGenerator } from '../statistics/resample.ts';
import { studentQuantile } from '../statistics/student.ts';
import type { Bounds, Look } from './sequential.ts';
import { defaultLooks, look, planUpTo } from './sequential.ts';

const bounds = { margin: Math.log(1.05), floor: 0 };
const generator = seededGenerator(5, 'sequential');
const normal = () => normalQuantile((drawBelow(generator, 2 ** 30) + 0.5) / 2 ** 30);
const blocksAt = (count: number, effect: number, deviation = 0.004) => Array.from({ length: count }, () => effect + deviation * normal());
/** Adds blocks look by look until there is a verdict. */
const verdictOn = (draw: () => number, limits: Bounds = bounds): Look => {
  const blocks: number[] = [];
  for (;;) {
    blocks.push(draw());
    const state = look(blocks, limits);
    if (state.state !== 'more') return state;
  }
};

test('equal arms pass, a slowdown of the margin is a regression, a speed-up of it an improvement', () => {
  assert.equal(look(blocksAt(5, 0), bounds).state, 'pass');
  assert.equal(look(blocksAt(6, bounds.margin), bounds).state, 'regression');
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
  const blocks = blocksAt(45, 0.03, 0.05);
  for (const [from, to] of [
    [3, 3],
    [4, 5],
    [6, 9],
    [10, 19],
    [20, 39],
    [40, 45],
  ] as const) {
    for (let count = from; count <= to; count += 1)
      assert.deepEqual(look(blocks.slice(0, count), bounds), look(blocks.slice(0, from), bounds));
  }
});

test('before the first look there is no verdict, however clear the blocks are', () => {
  for (let count = 1; count < 3; count += 1) assert.equal(look(blocksAt(count, 1), bounds).state, 'more');
  assert.throws(() => look([], bounds), RangeError);
});

test('noise that hides the margin asks for more, and is inconclusive only at the last look', () => {
  const wide = Array.from({ length: 40 }, (_, index) => 0.03 + (index % 2 === 0 ? 0.2 : -0.2));
  for (const count of [3, 4, 6, 10, 20]) assert.equal(look(wide.slice(0, count), bounds).state, 'more');
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
  assert.equal(look(blocksAt(40, 0.06, 1e-4), { ...bounds, floor: 0.1 }).state, 'inconclusive');
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

test('the first look decides what three blocks make clear, and nothing else', () => {
  const clear = (effect: number) => [-0.003, 0.001, 0.002].map((noise) => effect + noise);
  assert.equal(look(clear(0), bounds).state, 'pass');
  assert.equal(look(clear(2 * bounds.margin), bounds).state, 'regression');
  assert.equal(look(clear(-bounds.margin), bounds).state, 'improvement');
  assert.equal(look([0, 0.02, -0.02], bounds).state, 'more');
  // Between half the margin and the margin it takes more blocks, or the last look.
  assert.equal(look(clear(bounds.margin), bounds).state, 'more');
  assert.equal(look([...clear(bounds.margin), ...clear(bounds.margin)], bounds).state, 'regression');
  assert.equal(look(clear(bounds.margin), bounds, planUpTo(3)).state, 'regression');
});

test('a few blocks that agree by chance are no regression yet', () => {
  const agreed = [0.072, 0.066, 0.068];
  assert.ok(look(agreed, bounds).low > bounds.margin);
  assert.equal(look(agreed, bounds).state, 'more');
  assert.equal(look([...agreed, -0.03, 0.01, -0.05], bounds).state, 'more');
});

test('a plan of one look judges there and nowhere else', () => {
  const plan = { looks: [3], tail: 0.025 };
  assert.equal(look([0, 0.001], bounds, plan).state, 'more');
  assert.equal(look([0, 0.001, -0.001], bounds, plan).state, 'pass');
  assert.equal(look([0, 0.5, -0.5], bounds, plan).state, 'inconclusive');
});

test('one comparison of many is a regression only where a change is shown at the error divided by their number, and passes as it would alone', () => {
  const blocks = [0.09, 0.04, 0.1, 0.05, 0.08, 0.07];
  assert.equal(look(blocks, bounds).state, 'regression');
  assert.equal(look(blocks, { ...bounds, family: 1 }).state, 'regression');
  const one = look(blocks, { ...bounds, family: 50 });
  assert.equal(one.state, 'more');
  // The ends shown stay those of the plan's error.
  assert.deepEqual({ ...one, state: 'regression' }, look(blocks, bounds));
  const strict = look(blocks, bounds, { ...defaultLooks, tail: defaultLooks.tail / 50 });
  assert.ok(strict.low <= 0);
  // A change that is beyond doubt need not be shown to be above half the margin at that error.
  assert.equal(look([0.05, 0.043, 0.057, 0.04, 0.055, 0.049], { ...bounds, family: 50 }).state, 'regression');
  for (const effect of [-0.05, -0.01, 0, 0.01]) {
    const samples = blocksAt(6, effect);
    const pass = (family: number) => look(samples, { ...bounds, family }).high < bounds.margin;
    assert.equal(pass(50), pass(1));
  }
});

test('a clear speed-up that is one of many may pass before it is called an improvement', () => {
  const blocks = [0.08, 0.03, 0.09, 0.04, 0.07, 0.06].map((effect) => -effect);
  assert.equal(look(blocks, bounds).state, 'improvement');
  assert.equal(look(blocks, { ...bounds, family: 50 }).state, 'pass');
});

test('fifty equal cells judged together seldom show a false regression, at a margin that noise makes hard', () => {
  // Block sd of 2 % and Δ = 2 %, which a gate would refuse: alone, one cell in 500 is called slower. 5 % of matrices are allowed.
  let matrices = 0;
  for (let run = 0; run < 150; run += 1) {
    const hard = { margin: Math.log(1.02), floor: 0, family: 50 };
    const cells = Array.from({ length: 50 }, () => verdictOn(() => 0.02 * normal(), hard).state);
    if (cells.includes('regression')) matrices += 1;
  }
  assert.ok(matrices <= 14, `${matrices} of 150`);
});

test('a shorter plan ends at the blocks given, a longer one shares the error out anew', () => {
  assert.deepEqual(planUpTo(40), defaultLooks);
  assert.deepEqual(planUpTo(7), { looks: [3, 4, 6, 7], tail: 0.015, waryBefore: 9 });
  assert.deepEqual(planUpTo(3), { looks: [3], tail: 0.015, waryBefore: 9 });
  const long = planUpTo(90);
  assert.deepEqual(long.looks, [3, 4, 6, 10, 20, 40, 80, 90]);
  assert.ok(Math.abs(long.tail * long.looks.length - defaultLooks.tail * defaultLooks.looks.length) < 1e-15);
});

test('where a gain is sought, a pass that looks like one goes on to the last look', () => {
  const gain = [-0.16, -0.12, -0.2];
  const wide = { ...bounds, margin: 0.2 };
  const plan = { ...defaultLooks, looks: [3, 5] };
  const seeking = { ...plan, seeksGain: true };
  assert.equal(look(gain, wide, plan).state, 'pass');
  assert.equal(look(gain, wide, seeking).state, 'more');
  assert.equal(look([...gain, -0.25, 0], wide, seeking).state, 'pass');
  assert.equal(look([0.01, -0.02, 0.01], wide, seeking).state, 'pass');
  assert.equal(look([-0.2, -0.18, -0.19, -0.2, -0.2], wide, seeking).state, 'improvement');
});
