import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Block, Comparison } from '../contract/verdict.ts';
import { judgeBlocks } from './judge-blocks.ts';
import { judgeFigures, judgeMissing } from './judge-figures.ts';
import { judgeLaunches } from './judge-launches.ts';
import { overall } from './overall.ts';
import { peakNoiseBytes, plainRule } from './rule.ts';
import type { Rule } from './rule.ts';

const subject = { cell: 'dense onnx-cpu', name: 'dense' };
const rule: Rule = {
  metric: 'latency',
  margin: 0.05,
  direction: 'lower',
  absoluteFloor: 0,
  limit: null,
  onInconclusive: 'fail',
  owner: null,
  decides: true,
};
const blocksOf = (...logRatios: readonly number[]): Block[] =>
  logRatios.map((logRatio) => ({ logRatio, roundLogRatios: [logRatio], base: 1e6, new: 1e6 * Math.exp(logRatio), elapsedNs: 1 }));
const judged = (blocks: readonly Block[], given: Partial<Rule> = {}, floor: number | null = null) =>
  judgeBlocks(subject, { ...rule, ...given }, { blocks, floor, family: 1 }).comparison;

test('the same blocks give a byte-identical comparison', () => {
  const blocks = blocksOf(0.01, -0.02, 0.013, 0.004, -0.007);
  assert.equal(JSON.stringify(judged(blocks)), JSON.stringify(judged(structuredClone(blocks))));
});

test('swapping the arms negates the effect and mirrors the outcome', () => {
  const logRatios = [0.09, 0.1, 0.11, 0.1, 0.095];
  const slower = judged(blocksOf(...logRatios));
  const faster = judged(blocksOf(...logRatios.map((value) => -value)));
  assert.deepEqual([slower.outcome, faster.outcome], ['regression', 'improvement']);
  assert.ok(Math.abs(Math.log1p(slower.effect!.estimate) + Math.log1p(faster.effect!.estimate)) < 1e-12);
});

test('a comparison tells in how many blocks other work was beside it, and what to compare instead where it decides nothing', () => {
  const beside = (cores: number, ...logRatios: readonly number[]) =>
    blocksOf(...logRatios).map((block) => ({ ...block, othersCores: cores }));
  const open = [0.3, -0.3, 0.3, -0.3];
  const busy = judged([...beside(1.5, ...open.slice(1)), ...beside(0.05, ...open.slice(0, 1))]);
  assert.equal(busy.outcome, 'inconclusive');
  assert.deepEqual(busy.warnings, ['other work kept 1.5 processors busy in 3 of 4 blocks']);
  assert.match(busy.reason, /more blocks or a quieter host, or compare cpu-time$/);
  const quiet = judged(beside(0.05, ...open));
  assert.deepEqual(quiet.warnings, []);
  assert.match(quiet.reason, /more blocks or a quieter host$/);
});

test('blocks in which a CPU quota stopped threads are set aside from a fifth of what other work may take', () => {
  const held = (throttledCores: number, othersCores = 0) =>
    blocksOf(0.2, 0.3, 0.25, 0.2, 0.3).map((block) => ({ ...block, othersCores, throttledCores }));
  const judge = (blocks: readonly Block[]) => judgeBlocks(subject, rule, { blocks, floor: null, family: 1, busyFrom: 0.5 }).comparison;
  const throttled = judge(held(0.1));
  assert.deepEqual([throttled.outcome, throttled.busy, throttled.setAside?.length], ['inconclusive', true, 5]);
  assert.match(
    throttled.reason,
    /^busy: the CPU quota kept back 0\.10 processors’ worth of time in 5 of 5 blocks, .*: use fewer threads, a larger quota or whole processors, or compare cpu-time$/,
  );
  assert.match(
    judge(held(0.1, 0.6)).reason,
    /^busy: other work kept 0\.6 processors busy and the CPU quota kept back 0\.10 processors’ worth/,
  );
  const little = judge(held(0.09));
  assert.deepEqual([little.outcome, little.setAside], ['regression', undefined]);
  assert.deepEqual(little.warnings, ['the CPU quota kept back 0.09 processors’ worth of time in 4 of 4 blocks']);
});

test('blocks on a busy host are set aside, and a verdict rests on the others', () => {
  const quiet = blocksOf(0, 0.001, -0.001);
  const busy = blocksOf(0.2, 0.3, 0.25, 0.2, 0.3).map((block) => ({ ...block, othersCores: 1 }));
  const judge = (blocks: readonly Block[], busyFrom?: number) => judgeBlocks(subject, rule, { blocks, floor: null, family: 1, busyFrom });
  const { comparison } = judge([...busy.slice(0, 4), ...quiet], 0.5);
  assert.equal(comparison.outcome, 'pass');
  assert.deepEqual([comparison.blocks, comparison.setAside], [quiet, busy.slice(0, 4)]);
  assert.deepEqual(comparison.warnings, ['other work kept 1.0 processors busy in 4 of 7 blocks, which do not count']);
  assert.equal(comparison.effect!.estimate, judged(quiet).effect!.estimate);
  // Where they are the rule there is no verdict, whatever they and the few others say.
  assert.equal(judge(busy.slice(0, 4), 0.5).state, 'more');
  assert.equal(judge([...quiet.slice(1), ...busy], 0.5).state, 'more');
  const none = judge(busy, 0.5);
  assert.deepEqual([none.state, none.comparison.outcome, none.comparison.busy], ['inconclusive', 'inconclusive', true]);
  assert.deepEqual([none.comparison.blocks, none.comparison.setAside], [[], busy]);
  assert.deepEqual([none.comparison.base, none.comparison.new, none.comparison.effect], [null, null, null]);
  assert.match(none.comparison.reason, /^busy: other work kept 1\.0 processors busy in 5 of 5 blocks/);
  // CPU time is judged by all blocks.
  assert.equal(judge(busy).comparison.outcome, 'regression');
  assert.equal(judge(busy, 1.1).comparison.outcome, 'regression');
  // Nothing is busy where the system does not tell, or has no processors.
  assert.equal(judge(blocksOf(0.24, 0.3, 0.27), 0.5).comparison.outcome, 'regression');
  for (const busyFrom of [0, Number.NaN]) assert.equal(judge(busy, busyFrom).comparison.busy, undefined);
});

test('where higher is better, a fall is the regression', () => {
  const fall = blocksOf(-0.09, -0.1, -0.11, -0.1, -0.095);
  const { outcome, effect } = judged(fall, { direction: 'higher' });
  assert.equal(outcome, 'regression');
  assert.ok(effect!.low < effect!.estimate && effect!.estimate < effect!.high && effect!.high < 0);
});

test('a change below the host’s floor, or the gate’s absolute one, is no regression', () => {
  const slower = blocksOf(0.06, 0.061, 0.062, 0.06, 0.059);
  assert.equal(judged(slower).outcome, 'regression');
  assert.notEqual(judged(slower, {}, 0.1).outcome, 'regression');
  assert.equal(judged(slower, { absoluteFloor: 1e6 }).outcome, 'pass');
});

test('a small model’s peaks differ by noise alone, whatever their ratio; larger ones count', () => {
  const outcomeOf = (base: number, fresh: number) => {
    const block = { logRatio: Math.log(fresh / base), roundLogRatios: [], base, new: fresh, elapsedNs: 1 };
    const evidence = { blocks: [block, block, block, block, block], floor: null, family: 1 };
    return judgeBlocks(subject, plainRule('peak-memory', 0.05), evidence).comparison.outcome;
  };
  assert.deepEqual([outcomeOf(262_144, 4096), outcomeOf(4096, 500_000)], ['pass', 'pass']);
  assert.deepEqual([outcomeOf(4e6, 4e6 - peakNoiseBytes), outcomeOf(4e6, 4e6 + peakNoiseBytes)], ['improvement', 'regression']);
});

test('peaks that lie nearer than half their noise in every block of a look need no more blocks', () => {
  const plan = { looks: [2, 3, 6], tail: 0.0175 };
  const stateAfter = (...peaks: Array<[base: number, fresh: number]>) => {
    const blocks = peaks.map(([base, fresh]) => ({ logRatio: Math.log(fresh / base), roundLogRatios: [], base, new: fresh, elapsedNs: 1 }));
    const { state, comparison } = judgeBlocks(subject, plainRule('peak-memory', 0.05), { blocks, floor: null, family: 1, plan });
    return `${state} ${comparison.outcome}`;
  };
  const [near, far]: Array<[number, number]> = [
    [300_000, 600_000],
    [300_000, 300_000 + 0.6 * peakNoiseBytes],
  ];
  assert.equal(stateAfter(near!), 'more inconclusive');
  assert.equal(stateAfter(near!, [600_000, 300_000]), 'pass pass');
  assert.equal(stateAfter(near!, far!), 'more inconclusive');
  assert.equal(stateAfter(near!, [600_000, 300_000], near!, near!), 'more inconclusive');
});

test('a pass that is slower says so', () => {
  assert.match(judged(blocksOf(0.012, 0.011, 0.013, 0.012, 0.012)).reason, /^worse, within the margin/);
});

test('figures without noise: margin, limit, floor, direction, and a base of nothing', () => {
  const at = (base: number | null, fresh: number, given: Partial<Rule> = {}) =>
    judgeFigures(subject, { ...rule, metric: 'scored-pairs', ...given }, { base, new: fresh }).outcome;
  assert.equal(at(100, 100), 'pass');
  assert.equal(at(100, 105), 'pass');
  assert.equal(at(100, 106), 'regression');
  assert.equal(at(100, 94), 'improvement');
  assert.equal(at(100, 94, { direction: 'higher' }), 'regression');
  assert.equal(at(100, 130, { absoluteFloor: 31 }), 'pass');
  assert.equal(at(100, 100, { limit: 99 }), 'regression');
  assert.equal(at(null, 100, { limit: 101 }), 'pass');
  assert.equal(at(0, 0), 'pass');
  assert.equal(at(0, 1), 'regression');
  assert.equal(at(-100, -90), 'regression');
});

test('stored launches: a clear change is told, few runs are refused, the same figures pass', () => {
  const at = (base: readonly number[], fresh: readonly number[]) =>
    judgeLaunches(subject, rule, { base, new: fresh }, { floor: null, family: 1 }).outcome;
  assert.equal(at([100, 100.2, 99.9, 100.1], [120, 120.2, 119.9]), 'regression');
  assert.equal(at([120, 120.2, 119.9, 120.1], [100, 100.2, 99.9]), 'improvement');
  assert.equal(at([100, 100.2, 99.9, 100.1], [100.1, 100, 99.8]), 'pass');
  assert.equal(at([100, 130, 80], [100, 140, 70]), 'inconclusive');
  assert.equal(at([100, 100], [100, 100, 100]), 'refused');
  assert.equal(at([100, 100, 100], [100, 100, 100]), 'pass');
});

test('the whole: what is shown counts before what is unknown, and nothing is no pass', () => {
  const of = (outcome: Comparison['outcome'], given: Partial<Comparison> = {}): Comparison => ({
    ...judgeMissing(subject, rule, 'error', 'because'),
    outcome,
    ...given,
  });
  const code = (...comparisons: Comparison[]) => overall(comparisons).exitCode;
  assert.equal(code(of('pass'), of('improvement')), 0);
  assert.equal(code(of('pass'), of('inconclusive'), of('regression'), of('error'), of('incomplete')), 1);
  assert.equal(code(of('inconclusive'), of('error'), of('incomplete'), of('incomparable')), 5);
  assert.equal(code(of('inconclusive'), of('incomplete'), of('incomparable')), 3);
  assert.equal(code(of('inconclusive'), of('incomparable')), 4);
  assert.equal(code(of('pass'), of('refused')), 2);
  assert.equal(code(of('pass'), of('inconclusive')), 2);
  assert.equal(code(of('pass'), of('inconclusive', { onInconclusive: 'pass' })), 0);
  assert.equal(code(of('regression', { decides: false }), of('pass')), 0);
  assert.equal(code(of('regression', { decides: false })), 5);
  assert.equal(code(), 5);
});
