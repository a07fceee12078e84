import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededGenerator } from '../statistics/resample.ts';
import { boundedMeanInterval, itemsNeeded } from './bounded-mean.ts';
import { itemMean } from './item-mean.ts';
import { estimatePaired, judgePaired } from './paired.ts';

const generator = seededGenerator(11, 'paired');
const uniform = () => ((generator.next() >>> 0) + 0.5) / 2 ** 32;
const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
const near = (actual: number, expected: number, within: number) =>
  assert.ok(Math.abs(actual - expected) <= within, `${actual}, ${expected}`);
const draw = (count: number, value: () => number) => Array.from({ length: count }, value);
const range = { low: -1, high: 1 };
const pairs = (base: readonly number[], fresh: readonly number[]) => estimatePaired({ base, new: fresh }, { seed: 1 });

/** Scores about .8 and a difference of `mean` ± .02. */
function varied(items: number, mean: number) {
  const base = draw(items, () => 0.8 + 0.05 * normal());
  return { base, new: base.map((score) => score + mean + 0.02 * normal()) };
}
/** Right or wrong, where `share` of the items are lost. */
function lossy(items: number, share: number) {
  const base = draw(items, () => 1);
  return { base, new: base.map(() => (uniform() < share ? 0 : 1)) };
}

test('two-sided intervals cover the mean difference 93 to 97 % of the time: of few varied items, and of many', () => {
  for (const [items, runs] of [
    [12, 400],
    [250, 1000],
  ] as const) {
    let covered = 0;
    for (let run = 0; run < runs; run += 1) {
      const values = draw(items, () => 0.01 + 0.02 * normal());
      const { low, high, method } = itemMean(values, { range, tail: 0.025, seed: run });
      assert.equal(method, items < 200 ? 'bootstrap' : 'student');
      if (low <= 0.01 && 0.01 <= high) covered += 1;
    }
    assert.ok(covered / runs >= 0.93 && covered / runs <= 0.97, `${items}: ${covered / runs}`);
  }
});

test('a loss as large as the margin passes at most 5 % of the time, of varied scores and of right and wrong', (context) => {
  const falsePasses = (margin: number, runs: number, scores: () => { base: number[]; new: number[] }) => {
    const passed = draw(runs, () => (judgePaired(estimatePaired(scores(), { seed: 1 }), margin).outcome === 'pass' ? 1 : 0));
    return passed.reduce((sum, one) => sum + one, 0) / runs;
  };
  // Each limit is 5 % and three standard errors of its runs.
  const few = falsePasses(0.02, 200, () => varied(12, -0.02));
  assert.ok(few <= 0.096, `${few}`);
  const many = falsePasses(0.02, 2000, () => varied(210, -0.02));
  assert.ok(many <= 0.065, `${many}`);
  const binary = falsePasses(0.1, 150, () => lossy(100, 0.1));
  assert.ok(binary <= 0.1, `${binary}`);
  context.diagnostic(`12 varied items ${few}, 210 ${many}, 100 of right and wrong ${binary}`);
});

test('of right and wrong, Student’s interval would pass a loss at the margin far too often', () => {
  let [student, bounded] = [0, 0];
  const runs = 150;
  for (let run = 0; run < runs; run += 1) {
    const { base, new: fresh } = lossy(60, 0.05);
    const differences = fresh.map((score, index) => score - base[index]!);
    const mean = differences.reduce((sum, value) => sum + value, 0) / 60;
    const deviation = Math.sqrt(differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 59);
    if (mean - (1.671 * deviation) / Math.sqrt(60) > -0.05) student += 1;
    if (judgePaired(pairs(base, fresh), 0.05).outcome === 'pass') bounded += 1;
  }
  assert.ok(student / runs > 0.1, `${student / runs}`);
  assert.ok(bounded / runs <= 0.1, `${bounded / runs}`);
});

test('twelve items without any difference do not show a margin of .05; 59 do, and the reason says so', () => {
  const same = (items: number) => pairs(draw(items, () => 1), draw(items, () => 1)); // prettier-ignore
  const few = same(12);
  near(few.oneSided.low, -(1 - 0.05 ** (1 / 12)), 1e-12);
  near(few.twoSided.high, 1 - 0.025 ** (1 / 12), 1e-12);
  const judged = judgePaired(few, 0.05);
  assert.equal(judged.outcome, 'inconclusive');
  assert.match(judged.reason, /0 over 12 items, but 95 % bound −0\.221 is beyond the margin of 0\.05: equal .*; 59 would$/);
  assert.equal(judgePaired(same(58), 0.05).outcome, 'inconclusive');
  assert.equal(judgePaired(same(59), 0.05).outcome, 'pass');
  assert.equal(itemsNeeded(0.05, 0.05), 59);
});

test('of zeros and ones the bounded interval is Clopper and Pearson’s', () => {
  // 3 of 20, one-sided 97.5 %: .0321 and .3789 (tables of the binomial).
  const values = draw(20, () => 0).fill(1, 0, 3);
  const { low, high } = boundedMeanInterval(values, { range: { low: 0, high: 1 }, tail: 0.025, seed: 1, replicates: 40_000 });
  near(low, 0.0321, 0.002);
  near(high, 0.3789, 0.005);
});

test('equal scores whose range is not known show nothing, and a given range is used', () => {
  const [base, fresh] = [draw(12, () => 30), draw(12, () => 30)];
  const open = judgePaired(pairs(base, fresh), 1);
  assert.equal(open.outcome, 'inconclusive');
  assert.match(open.reason, /export the score's range/);
  const given = estimatePaired({ base, new: fresh }, { seed: 1, range: { low: 0, high: 40 } });
  near(given.oneSided.low, -40 * (1 - 0.05 ** (1 / 12)), 1e-9);
});

test('passes, regresses or stays open by the one-sided bounds, and measures the loss in margins', () => {
  const small = judgePaired(estimatePaired(varied(50, -0.005), { seed: 1 }), 0.02);
  assert.equal(small.outcome, 'pass');
  assert.match(small.reason, /not worse than the margin of 0\.02$/);
  const large = judgePaired(estimatePaired(varied(50, -0.06), { seed: 1 }), 0.02);
  assert.equal(large.outcome, 'regression');
  near(large.marginsLost, 3, 0.5);
  assert.equal(judgePaired(estimatePaired(varied(50, -0.02), { seed: 1 }), 0.02).outcome, 'inconclusive');
  assert.equal(judgePaired(estimatePaired(lossy(60, 0.9), { seed: 1 }), 0.5).outcome, 'regression');
});

test('swapping the models negates the difference and mirrors the intervals; scores of one step are ties to the last digit', () => {
  const { base, new: fresh } = lossy(40, 0.3);
  const [there, back] = [pairs(base, fresh), pairs(fresh, base)];
  near(there.difference, -back.difference, 1e-12);
  near(there.oneSided.low, -back.oneSided.high, 0.01);
  assert.deepEqual([there.won, there.lost, there.tied], [back.lost, back.won, back.tied]);
  assert.equal(pairs([0.1 + 0.2, 0.5], [0.3, 0.5]).tied, 2);
});

test('counts that differ, no items, NaN, scores outside the range and a margin of 0 are errors', () => {
  assert.throws(() => pairs([1, 2], [1]), { code: 'INVALID_DATA', message: /got 1 for 2 items/ });
  assert.throws(() => pairs([], []), { code: 'INVALID_DATA' });
  assert.throws(() => pairs([1, 1], [1, NaN]), { code: 'INVALID_DATA', message: /new score 1 is NaN/ });
  assert.throws(() => estimatePaired({ base: [2], new: [1] }, { seed: 1, range: { low: 0, high: 1 } }), { code: 'INVALID_DATA' });
  assert.throws(() => judgePaired(pairs([1], [1]), 0), { code: 'INVALID_DATA' });
});
