import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { test } from 'node:test';
import { execa } from 'execa';
import { migrate } from '../src/operations/migrate.ts';
import type { MigrateOptions } from '../src/operations/migrate.ts';
import type { Progress } from '../src/operations/options.ts';
import * as model from './models/torchscript-bert.ts';
import { attnswap, emptyFolder, main } from './run-cli.ts';

/** Items of token ids, and a score: how near the pooled output is to what the original gave when the items were made. */
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
  const scores = [];
  for (const { feeds } of items) {
    const values = Object.values(await model.run(feeds))[0].data;
    scores.push(values.filter((value) => value > 0).length / values.length);
  }
  return scores;
}
`;

interface Report {
  readonly baseline: { lengths: { length: number; medianNs: number }[]; scores: number[] };
  readonly candidates: { name: string; decision: { verdict: string; reasons: string[] }; proof: { nodesRemoved: string[] } }[];
  readonly tuned: { search: { evaluations: number } };
  readonly verdict: string;
}

function subject(candidates = ['dense.fused']): { cwd: string; args: string[] } {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'model.onnx'), model.build({ seed: 1 }));
  writeFileSync(join(cwd, 'mine.data.mjs'), dataModule);
  const args = ['migrate', 'model.onnx', '--data', 'mine.data.mjs', '--lengths', '16', '--items', '3', '--dir', 'state', '--quiet'];
  return { cwd, args: [...args, ...candidates.flatMap((candidate) => ['--candidate', candidate]), '--max-blocks', '3'] };
}

/** The first phase by the operation, in the folder of a {@link subject}. */
const baseline: MigrateOptions = {
  model: 'model.onnx',
  data: ['mine.data.mjs'],
  lengths: [16],
  items: 3,
  dir: 'state',
  candidates: ['dense.fused'],
  until: 'baseline',
};

test('migrate takes a model through three phases, and the same command gives the same report at once', async () => {
  const { cwd, args } = subject(['dense.fused', 'window:w=4']);
  const first = await attnswap([...args, '--json'], { cwd });
  const report = JSON.parse(first.stdout) as Report;
  assert.equal(report.baseline.lengths[0]?.length, 16);
  assert.equal(report.baseline.scores.length, 3);
  assert.deepEqual(
    report.candidates.map(({ name }) => name),
    ['dense.fused', 'window.tiled:w=4'],
  );
  assert.ok(report.candidates.every(({ proof }) => proof.nodesRemoved.length > 0));
  assert.equal(first.exitCode, { adopt: 0, 'tune-first': 2, reject: 1 }[report.verdict], first.stderr);
  const steps = readFileSync(join(cwd, 'state/journal.json'), 'utf8');
  const again = await attnswap([...args, '--json'], { cwd });
  assert.deepEqual(JSON.parse(again.stdout), report);
  assert.equal(readFileSync(join(cwd, 'state/journal.json'), 'utf8'), steps, 'nothing is measured twice');
  const text = await attnswap(args, { cwd });
  assert.match(text.stdout, /Phase 1[\s\S]*Phase 2[\s\S]*Phase 3[\s\S]*Verdict:/);
  assert.ok(text.stdout.split('\n').every((line) => !/^\S*(Phase|tokens|candidate)/.test(line) || line.length <= 100));
});

test('an interrupted migration keeps what it measured and goes on from there', async () => {
  const { cwd, args } = subject();
  const running = execa(process.execPath, [main, ...args], { cwd, reject: false });
  let ended = false;
  void running.then(() => (ended = true));
  const state = join(cwd, 'state/journal.json');
  const reached = () => existsSync(state) && readFileSync(state, 'utf8').includes('baseline/memory');
  while (!reached() && !ended) await setTimeout(50);
  running.kill('SIGINT');
  const { exitCode, stderr } = await running;
  assert.equal(exitCode, 130, String(stderr));
  assert.match(String(stderr), /interrupted; what was measured is in state/);
  const kept = JSON.parse(readFileSync(state, 'utf8')) as { steps: Record<string, unknown> };
  const finished = await attnswap([...args, '--until', 'swap'], { cwd });
  assert.match(finished.stdout, /Phase 2/);
  const after = JSON.parse(readFileSync(state, 'utf8')) as { steps: Record<string, unknown> };
  for (const [step, result] of Object.entries(kept.steps)) assert.deepEqual(after.steps[step], result, step);
});

test('a migration tells its phase, the step of how many, and the share done', async () => {
  const { cwd } = subject();
  process.chdir(cwd);
  const told: Progress[] = [];
  await migrate({ ...baseline, onProgress: (progress) => told.push(progress) });
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

test('a migration refuses another model, other data and other settings, by name', async () => {
  const { cwd } = subject();
  process.chdir(cwd);
  await migrate(baseline);
  const refused = (more: Partial<MigrateOptions>, message: RegExp) =>
    assert.rejects(migrate({ ...baseline, ...more }), { code: 'INVALID_MIGRATION', message, hint: /choose another --dir/ });
  await refused({ seed: 2 }, /seed changed from 1 to 2/);
  writeFileSync('mine.data.mjs', `${dataModule}\n// edited`);
  await refused({}, /the file mine\.data\.mjs changed/);
  writeFileSync('mine.data.mjs', dataModule);
  writeFileSync('model.onnx', model.build({ seed: 2 }));
  await refused({}, /the file model\.onnx changed/);
  writeFileSync('state/journal.json', '{"schema": "attnswap.mig');
  await refused({}, /expected a document with schema attnswap\.journal\/1/);
});

test('data that cannot be used end a migration with what is wrong', async () => {
  const broken: [string, RegExp][] = [
    ['throw new Error("no such book")', /no such book/],
    ['export const items = 3', /items/],
    ['export async function items() { return [] }', /item/],
    [dataModule.replace('return scores', 'return scores.slice(1)'), /score/],
    [dataModule.replace('input_ids:', 'inputs:'), /input_ids/],
  ];
  const { cwd } = subject();
  process.chdir(cwd);
  for (const [index, [text, message]] of broken.entries()) {
    const data = `broken${index}.data.mjs`;
    writeFileSync(data, text);
    await assert.rejects(migrate({ ...baseline, data: [data], dir: `state${index}` }), { name: 'AttnswapError', message }, text);
  }
});

test('Ctrl-C ends a migration whose own code hangs, and keeps what was reached', async () => {
  const { cwd, args } = subject();
  writeFileSync(
    join(cwd, 'mine.data.mjs'),
    dataModule.replace('const scores = [];', "console.error('hanging'); await new Promise(() => setInterval(() => undefined, 1e6));"),
  );
  const running = execa(process.execPath, [main, ...args], { cwd, reject: false });
  await new Promise<void>((resolve) => running.stderr.on('data', (chunk: Buffer) => chunk.toString().includes('hanging') && resolve()));
  running.kill('SIGINT');
  assert.equal((await running).exitCode, 130);
  const { steps } = JSON.parse(readFileSync(join(cwd, 'state/journal.json'), 'utf8')) as { steps: Record<string, unknown> };
  assert.ok('head' in steps);
});
