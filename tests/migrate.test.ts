import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import type { Comparison } from '../src/contract/verdict.ts';
import { Figures } from '../src/journal/figures.ts';
import { migrate } from '../src/operations/migrate.ts';
import type { MigrateOptions } from '../src/operations/migrate-options.ts';
import type { Progress } from '../src/operations/options.ts';
import * as model from './models/torchscript-bert.ts';
import { attnswap, emptyFolder, main, untilSaid } from './run-cli.ts';

/** Items of token ids, and a score: the share of the output above zero. `evaluate` misbehaves as the environment says. */
const dataModule = `
const ids = (length, seed) => BigInt64Array.from({ length }, (_, at) => BigInt((7 * at + 13 * seed) % 90));
export const metric = 'share of output components above zero';
export async function items({ lengths, itemsPerLength, seed }) {
  return lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, index) => ({
    id: length + '-' + index,
    length,
    feeds: {
      input_ids: { type: 'int64', dims: [1, length], data: ids(length, seed + index) },
      attention_mask: { type: 'int64', dims: [1, length], data: new BigInt64Array(length).fill(1n) },
    },
  })));
}
export async function evaluate(model, items) {
  if (process.env.FAULT === 'hangs') {
    console.error('hanging');
    await new Promise(() => setInterval(() => undefined, 1e6));
  }
  const scores = [];
  for (const { feeds } of items) {
    const values = Object.values(await model.run(feeds))[0].data;
    scores.push(values.filter((value) => value > 0).length / values.length);
  }
  return process.env.FAULT === 'forgets one' ? scores.slice(1) : scores;
}
`;

interface Report {
  readonly baseline: { lengths: { length: number; medianNs: number }[]; scores: number[] };
  readonly candidates: { name: string; decision: { verdict: string; reasons: string[] }; proof: { nodesRemoved: string[] } }[];
  readonly tuned: { search: { evaluations: number } };
  readonly verdict: string;
}

const given = ['migrate', 'model.onnx', '--data', 'mine.data.mjs', '--lengths', '16', '--items', '3', '--dir', 'state', '--quiet'];
const args = [...given, '--candidate', 'dense.fused', '--candidate', 'window:w=4', '--max-blocks', '3'];
/** The first phase by the operation. */
const baseline: MigrateOptions = {
  model: 'model.onnx',
  data: ['mine.data.mjs'],
  lengths: [16],
  items: 3,
  dir: 'state',
  candidates: ['dense.fused', 'window:w=4'],
  maxBlocks: 3,
  until: 'baseline',
};

const cwd = emptyFolder();
writeFileSync(join(cwd, 'model.onnx'), model.build({ seed: 1 }));
writeFileSync(join(cwd, 'mine.data.mjs'), dataModule);
process.chdir(cwd);
// Whether the host is busy must not decide these tests.
const openFigures = Figures.open.bind(Figures);
mock.method(Figures, 'open', (folder: string, options: Parameters<typeof openFigures>[1]) =>
  openFigures(folder, { ...options, keeps: true }),
);

type Steps = Record<string, unknown>;
const stepsIn = (folder: string): Steps => (JSON.parse(readFileSync(join(folder, 'journal.json'), 'utf8')) as { steps: Steps }).steps;

/** What was measured is not measured again. */
function assertKept(before: Steps): void {
  const after = stepsIn('state');
  for (const [step, result] of Object.entries(before)) assert.deepEqual(after[step], result, step);
}

test('a migration tells its phase, the step of how many, and the share done; one that is interrupted begins no other step', async () => {
  const told: Progress[] = [];
  const controller = new AbortController();
  const onProgress = (progress: Progress) => {
    told.push(progress);
    if (progress.what.includes('waste')) controller.abort();
  };
  await assert.rejects(migrate({ ...baseline, onProgress, signal: controller.signal }), {
    code: 'INTERRUPTED',
    message: 'interrupted; what was measured is in state',
  });
  const reached = stepsIn('state');
  assert.deepEqual(Object.keys(reached), ['head', 'feeds/16', 'baseline/latency/16', 'baseline/memory/16', 'baseline/waste/16']);
  cpSync('state', 'half', { recursive: true });
  await migrate({ ...baseline, onProgress: (progress) => told.push(progress) });
  assertKept(reached);
  const measuring = told.filter(({ share }) => share !== undefined);
  assert.deepEqual(
    measuring.map(({ what, done, total }) => [what, done, total]),
    ['latency at 16 tokens', 'peak memory at 16 tokens', 'waste at 16 tokens', 'quality'].map((what, at) => [
      `phase 1 of 3: ${what}`,
      at,
      4,
    ]),
  );
  assert.ok(measuring.every(({ share }, at) => (at === 0 ? share === 0 : share! > measuring[at - 1]!.share! && share! < 1)));
});

test('another folder reuses what was measured of the same content, and says when; --fresh and other content do not', async () => {
  const measured = stepsIn('state');
  const told: string[] = [];
  const again = (dir: string, more: Partial<MigrateOptions> = {}) =>
    migrate({ ...baseline, dir, ...more, onProgress: ({ what }) => told.push(what) });
  const record = await again('again');
  const timed = ['baseline/latency/16', 'baseline/memory/16', 'baseline/waste/16'];
  assert.deepEqual(Object.keys(record.reused), timed);
  for (const step of timed) assert.deepEqual(stepsIn('again')[step], measured[step], step);
  assert.ok(Object.values(record.reused).every((time) => time < record.startedAt));
  assert.ok(!told.some((what) => what.includes('latency')) && told.some((what) => what.includes('quality')), told.join('; '));
  assert.deepEqual((await again('again')).reused, record.reused, 'a rerun still says so');
  await assert.rejects(again('again', { fresh: true }), {
    code: 'INVALID_MIGRATION',
    message: 'again: fresh changed from nothing to true since this migration began',
    hint: /^choose another --dir/,
  });
  assert.deepEqual((await again('fresh', { fresh: true })).reused, {});
  assert.deepEqual((await again('fresh', { fresh: true })).reused, {}, 'it goes on as it began');
  writeFileSync('other.onnx', model.build({ seed: 3 }));
  assert.deepEqual((await again('other', { model: 'other.onnx' })).reused, {});
  writeFileSync('other.data.mjs', dataModule.replace('13 * seed', '17 * seed'));
  assert.deepEqual((await again('otherData', { data: ['other.data.mjs'] })).reused, {});
});

test('both phases reuse what showed something, and the last comparison nothing', async () => {
  const whole = (dir: string) => migrate({ ...baseline, dir, until: 'tune', candidates: ['dense.fused'], evaluations: 2 });
  await whole('whole');
  const { reused } = await whole('wholeAgain');
  const [first, second] = [stepsIn('whole'), stepsIn('wholeAgain')];
  const kernels = Object.keys(first).filter((step) => step.startsWith('tune/kernel/') && first[step] !== null);
  assert.ok(kernels.length > 0);
  for (const step of kernels) assert.ok(step in reused, step);
  const compared = Object.keys(second).filter((step) => /^(latency|peak-memory)\//.test(step) && step in first);
  assert.ok(compared.length > 0);
  for (const step of compared) {
    const { outcome, blocks, setAside = [] } = first[step] as Comparison;
    const quiet = blocks.every(({ othersCores = 0 }) => othersCores < 0.2) && setAside.length === 0;
    const shows = ['pass', 'improvement', 'regression'].includes(outcome) && quiet;
    assert.equal(step in reused, shows && !step.includes('/final '), `${step}: ${outcome}`);
  }
});

test('data that cannot be used end a migration with what is wrong', async (t) => {
  const broken: [string, RegExp][] = [
    ['throw new Error("no such book")', /no such book/],
    ['export const items = 3', /items/],
    ['export async function items() { return [] }', /item/],
    [dataModule.replace('input_ids:', 'inputs:'), /input_ids/],
  ];
  for (const [index, [text, message]] of broken.entries()) {
    const data = `broken${index}.data.mjs`;
    writeFileSync(data, text);
    await assert.rejects(migrate({ ...baseline, data: [data], dir: `broken${index}` }), { name: 'AttnswapError', message }, text);
  }
  process.env['FAULT'] = 'forgets one';
  t.after(() => delete process.env['FAULT']);
  await assert.rejects(migrate({ ...baseline, dir: 'half' }), {
    name: 'AttnswapError',
    message: /evaluate\(\) returned 2, expected 3 scores/,
  });
});

test('Ctrl-C ends a migration whose own code hangs, and keeps what was reached', async () => {
  const reached = stepsIn('half');
  const running = execa(process.execPath, [main, ...args, '--dir', 'half'], { cwd, reject: false, env: { FAULT: 'hangs' } });
  await untilSaid(running, 'hanging');
  running.kill('SIGINT');
  assert.equal((await running).exitCode, 130);
  const kept = stepsIn('half');
  for (const [step, result] of Object.entries(reached)) assert.deepEqual(kept[step], result, step);
});

test('a migration refuses another model, other data and other settings, by name', async () => {
  const refused = (more: Partial<MigrateOptions>, message: RegExp) =>
    assert.rejects(migrate({ ...baseline, dir: 'half', ...more }), { code: 'INVALID_MIGRATION', message, hint: /choose another --dir/ });
  await refused({ seed: 2 }, /seed changed from 1 to 2/);
  writeFileSync('mine.data.mjs', `${dataModule}\n// edited`);
  await refused({}, /the file mine\.data\.mjs changed/);
  writeFileSync('mine.data.mjs', dataModule);
  writeFileSync('model.onnx', model.build({ seed: 2 }));
  await refused({}, /the file model\.onnx changed/);
  writeFileSync('model.onnx', model.build({ seed: 1 }));
  writeFileSync('half/journal.json', '{"schema": "attnswap.mig');
  await refused({}, /expected a document with schema attnswap\.journal\/1/);
});

test('a migration that Ctrl-C ends goes on through three phases, and the same command gives the same report at once', async () => {
  const running = execa(process.execPath, [main, ...args], { cwd, reject: false });
  let ended = false;
  void running.then(() => (ended = true));
  while (!('candidate/dense.fused/quality' in stepsIn('state')) && !ended) await setTimeout(50);
  running.kill('SIGINT');
  const { exitCode, stderr } = await running;
  assert.equal(exitCode, 130, stderr);
  const reached = stepsIn('state');
  const first = await attnswap([...args, '--json'], { cwd });
  assertKept(reached);
  const report = JSON.parse(first.stdout) as Report;
  assert.equal(report.baseline.lengths[0]?.length, 16);
  assert.equal(report.baseline.scores.length, 3);
  assert.deepEqual(
    report.candidates.map(({ name }) => name),
    ['dense.fused', 'window.tiled:w=4'],
  );
  assert.ok(report.candidates.every(({ proof }) => proof.nodesRemoved.length > 0));
  assert.equal(first.exitCode, { adopt: 0, 'tune-first': 2, reject: 1 }[report.verdict], first.stderr);
  const steps = readFileSync('state/journal.json', 'utf8');
  const again = await attnswap([...args, '--json'], { cwd });
  assert.deepEqual(JSON.parse(again.stdout), report);
  assert.equal(readFileSync('state/journal.json', 'utf8'), steps, 'nothing is measured twice');
  const text = await attnswap(args, { cwd });
  assert.match(text.stdout, /Phase 1[\s\S]*Phase 2[\s\S]*Phase 3[\s\S]*Verdict:/);
  assert.ok(text.stdout.split('\n').every((line) => !/^\S*(Phase|tokens|candidate)/.test(line) || line.length <= 100));
});

test('groups of keys that a site does not have end a migration, with item, site and keys', async () => {
  const grouped = dataModule.replace(
    '    length,',
    "    length,\n    groups: [{ name: 'image', from: 0, to: 9 }, { name: 'text', from: 9, to: 17 }],",
  );
  writeFileSync('elsewhere.data.mjs', grouped.replace('to: 17', 'to: 16, sites: [0, 7]'));
  await assert.rejects(migrate({ ...baseline, data: ['elsewhere.data.mjs'], dir: 'no-site' }), {
    code: 'INVALID_DATA',
    message: /^item 16-0: group "text" is of site 7, expected 0(, \d)*$/,
  });
  writeFileSync('grouped.data.mjs', grouped);
  await assert.rejects(migrate({ ...baseline, data: ['grouped.data.mjs'], dir: 'grouped' }), {
    code: 'INVALID_DATA',
    message: 'item 16-0: site 0: group "text" ends at 17, expected at most 16, the number of keys',
  });
});
