import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { plainRule } from '../decide/rule.ts';
import type { CellArm } from '../measure/arm.ts';
import type { PairBlockOptions, BlockOutcome, measureBlock } from '../measure/pair-block.ts';
import { busyCores, compareLatency } from './compare-latency.ts';
import { gateCell } from './gate-cell.ts';
import { blockText } from './until-decided.ts';

// Blocks are made up here: what else this machine does changes none.
process.env['ATTNSWAP_BUSY_SHARE'] = '0.25';

const arm = (name: string) => ({ cwd: name }) as CellArm;
const cell = { base: arm('base'), new: arm('new') };
const reference = { base: arm('base reference'), new: arm('new reference') };
const subject = { cell: 'window b1 h8/8 q512 k512 d64 causal f32', name: 'window' };
const callsPerSample = { base: 7, new: 9 };
const facts = { base: { warnings: [] }, new: { warnings: ['approximated'] } };

/** Blocks that do not differ but for an arm that fails in one; and what was asked for. */
function measuring(fails?: { readonly arm: 'base' | 'new'; readonly block: number; readonly cwd?: string }, busy: readonly number[] = []) {
  const asked: PairBlockOptions[] = [];
  const measure: typeof measureBlock = async (arms, options): Promise<BlockOutcome> => {
    asked.push(options);
    if (fails?.block === options.index && (fails.cwd ?? arms.new.cwd) === arms.new.cwd)
      return { state: 'fault', arm: fails.arm, fault: { answer: 'fault', status: 'failed', reason: 'the worker was ended' } };
    const othersCores = busy.includes(options.index) ? busyCores() : 0;
    const block = { logRatio: options.index / 1000, roundLogRatios: [], base: 1e6, new: 1e6, elapsedNs: 1, othersCores };
    return { state: 'measured', block, callsPerSample, facts };
  };
  return { asked, measure };
}

/** Both comparisons of timed blocks, each with what it was told and asked. */
const comparisons = {
  latency: async (measure: typeof measureBlock, progress: (block: number) => void) =>
    (await compareLatency(cell, subject, plainRule('latency', 0.05), { ...looking, measure, progress })).comparison,
  'ratio-to-reference': (measure: typeof measureBlock, progress: (block: number) => void) =>
    gateCell({ ...cell, reference }, subject, plainRule('ratio-to-reference', 0.05), { ...looking, measure, progress, wasteRows: 1 }),
};
const looking = { seed: 1, timeoutSeconds: 1, floor: null, family: 1, plan: { looks: [2, 3], tail: 0.0175 } };

for (const [metric, compare] of Object.entries(comparisons)) {
  test(`${metric}: each block is told, the first settles calls and is checked whole, and a host without calibration is told`, async () => {
    const { asked, measure } = measuring();
    const told: number[] = [];
    const { outcome, blocks, warnings } = await compare(measure, (block) => told.push(block));
    assert.equal(outcome, 'pass');
    assert.deepEqual(told, [...blocks.keys()]);
    const expected = blocks.map((_, index) => [index, index === 0 ? 256 : 4, index === 0 ? undefined : callsPerSample]);
    const pairs = metric === 'latency' ? 1 : 2;
    assert.deepEqual(
      asked.map(({ index, judgedRows, callsPerSample: calls }) => [index, judgedRows, calls]),
      expected.flatMap((each) => Array.from({ length: pairs }, () => each)),
    );
    assert.match(warnings.join(), /not calibrated/);
  });

  test(`${metric}: an arm that fails in a later block ends the comparison, and is named`, async () => {
    const failed = await compare(measuring({ arm: 'new', block: 1 }).measure, () => undefined);
    assert.deepEqual([failed.outcome, failed.reason, failed.blocks], ['error', 'new: failed: the worker was ended', []]);
  });
}

for (const [metric, compare] of Object.entries(comparisons)) {
  test(`${metric}: a block on a busy host is measured again, by a number of its own, and a host that stays busy is told`, async () => {
    const { asked, measure } = measuring(undefined, [0, 2]);
    const told: number[] = [];
    const { outcome, blocks, setAside } = await compare(measure, (block) => told.push(block));
    assert.deepEqual([outcome, blocks.length, setAside?.length], ['pass', 2, 2]);
    assert.deepEqual(told, [0, 0, 1, 1]);
    assert.deepEqual([...new Set(asked.map(({ index }) => index))], [0, 1, 2, 3]);
    const stays = await compare(measuring(undefined, [...Array(100).keys()]).measure, () => undefined);
    assert.deepEqual([stays.outcome, stays.busy, stays.setAside?.length, stays.effect], ['inconclusive', true, 5, null]);
    assert.match(stays.reason, /busy: other work kept \d+\.\d processors busy in 5 of 5 blocks/);
  });
}

test('no limit makes a regression of what a busy host gave', async () => {
  for (const metric of ['latency', 'ratio-to-reference'] as const) {
    const { measure } = measuring(undefined, [...Array(100).keys()]);
    const limited = { ...plainRule(metric, 0.05), limit: 1e-9 };
    const busy = await gateCell({ ...cell, reference }, subject, limited, { ...looking, measure, wasteRows: 1 });
    assert.deepEqual([busy.outcome, busy.busy], ['inconclusive', true]);
    assert.match(busy.reason, /^busy: /);
    const quiet = await gateCell({ ...cell, reference }, subject, limited, { ...looking, measure: measuring().measure, wasteRows: 1 });
    assert.equal(quiet.outcome, 'regression');
  }
});

test('how much other work makes a host busy is a quarter of the processors, or what the environment says', () => {
  const set = process.env['ATTNSWAP_BUSY_SHARE'];
  const busyAt = (share: string) => {
    process.env['ATTNSWAP_BUSY_SHARE'] = share;
    return busyCores();
  };
  try {
    assert.equal(busyAt(''), availableParallelism() / 4);
    assert.equal(busyAt('1'), availableParallelism());
    assert.equal(busyAt('2'), Infinity);
    for (const wrong of ['0', '-1', 'much']) assert.throws(() => busyAt(wrong), { code: 'USAGE', message: /ATTNSWAP_BUSY_SHARE: got/ });
  } finally {
    process.env['ATTNSWAP_BUSY_SHARE'] = set;
  }
});

test('progress tells how many blocks were set aside', async () => {
  const told: string[] = [];
  const { measure } = measuring(undefined, [0, 2]);
  const progress = (block: number, setAside: number) => told.push(blockText(block, 3, setAside));
  await compareLatency(cell, subject, plainRule('latency', 0.05), { ...looking, measure, progress });
  assert.deepEqual(
    told,
    ['', ' (1 set aside)', ' (1 set aside)', ' (2 set aside)'].map((more, at) => `block ${at < 2 ? 1 : 2} of at most 3${more}`),
  );
});

test('CPU time is compared on a busy host as on any other', async () => {
  const { measure } = measuring(undefined, [0, 1, 2]);
  const { comparison } = await compareLatency(cell, subject, plainRule('cpu-time', 0.05), { ...looking, measure });
  assert.deepEqual([comparison.outcome, comparison.blocks.length, comparison.setAside], ['pass', 2, undefined]);
});

test('a fault of the reference cell says so, and on which side', async () => {
  const compare = comparisons['ratio-to-reference'];
  const { reason } = await compare(measuring({ arm: 'base', block: 0, cwd: 'base' }).measure, () => undefined);
  assert.equal(reason, 'base, reference cell: failed: the worker was ended');
});

test('what arms said of themselves is told with a figure, and not without', async () => {
  const latency = (measure: typeof measureBlock) => compareLatency(cell, subject, plainRule('latency', 0.05), { ...looking, measure });
  assert.deepEqual((await latency(measuring().measure)).facts, facts);
  assert.equal((await latency(measuring({ arm: 'new', block: 1 }).measure)).facts, undefined);
});
