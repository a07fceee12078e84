import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { readRun } from '../src/contract/run.ts';
import { writeInputs } from '../src/inputs/captured.ts';
import { drawGaussian } from '../src/inputs/gaussian.ts';
import { bench } from '../src/operations/bench.ts';
import type { BenchOptions } from '../src/operations/bench.ts';
import { attnswap, emptyFolder, main, suiteText } from './run-cli.ts';

const record = (cwd: string, name: string) => readRun(JSON.parse(readFileSync(join(cwd, `runs/${name}.run.json`), 'utf8')), name);

/** Waits until the child has written `text` to standard error. */
function untilStderr(child: { stderr: NodeJS.ReadableStream | null }, text: string): Promise<void> {
  return new Promise((resolve) => {
    let seen = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (seen.includes(text)) resolve();
    });
  });
}

test('a suite file of the user’s own works from any folder, and gives a table, a record and a CSV', async () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'mine.suite.ts'), suiteText('mine', ['dense.fused', 'window:w=8']));
  const { exitCode, stdout, stderr } = await attnswap(['bench', './mine.suite.ts', '--csv', 'mine.csv'], { cwd });
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /dense\.fused.*1×/);
  assert.match(stderr, /^next: attnswap report runs\/mine\.run\.json$/m);
  assert.ok(stdout.split('\n').every((line) => line.length <= 130));
  const run = record(cwd, 'mine');
  assert.equal(run.complete, true);
  assert.deepEqual(
    run.cells.map(({ status }) => status),
    ['ok', 'ok'],
  );
  for (const cell of run.cells) {
    assert.ok(cell.latency!.samplesNs.length >= 1);
    assert.ok(cell.error!.relative <= cell.error!.budget);
    assert.ok(cell.dispatch!.operators.length > 0);
  }
  assert.ok(run.cells[0]!.dispatch!.operators.some(({ operator }) => operator === 'GroupQueryAttention'));
  const [header = '', ...rows] = readFileSync(join(cwd, 'mine.csv'), 'utf8').trim().split('\n');
  assert.ok(header.startsWith('variant,backend,'));
  assert.equal(rows.length, 2);
});

test('a batch of different requests is padded to one call, judged, and its work counted without the padding', async () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'mixed.suite.ts'), suiteText('mixed', ['dense.tiled']).replace(/lengths: \[\d+\]/, "shapes: ['q8_2q1s4']"));
  const { exitCode, stdout, stderr } = await attnswap(['bench', './mixed.suite.ts'], { cwd });
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /batch of q8_2q1s4/);
  const [cell] = record(cwd, 'mixed').cells;
  const { batch, heads, queries, keys } = cell!.shape;
  assert.deepEqual([batch, queries, keys, cell!.requests], [3, 8, 8, 'q8_2q1s4']);
  // A prefill of 8 tokens, and two single tokens that see 4 each.
  assert.equal(cell!.work!.densePairs, heads * ((8 * 9) / 2 + 2 * 4));
  assert.ok(cell!.work!.scoredPairs >= batch * heads * queries * keys);
});

/** onnx-cpu under another name, which writes down when its kernels are prepared and called. */
const watched = `import { appendFileSync } from 'node:fs';
import { adapter as onnx } from ${JSON.stringify(fileURLToPath(new URL('../adapters/onnx/adapter.ts', import.meta.url)))};
const log = (variant, what) => appendFileSync('watched.txt', [variant, process.pid, what, process.hrtime.bigint()].join(' ') + '\\n');
export const adapter = {
  ...onnx,
  name: 'watched',
  backends: ['watched-cpu'],
  needs: {},
  status: () => onnx.status('onnx-cpu'),
  async prepare(request) {
    const kernel = await onnx.prepare({ ...request, backend: 'onnx-cpu' });
    log(request.variant, 'prepared');
    const run = async () => {
      log(request.variant, 'called');
      await kernel.run();
      log(request.variant, 'done');
    };
    const others = ['output', 'dispatch', 'endProfile', 'peakDeviceBytes', 'dispose'];
    return { run, compiledAhead: true, ...Object.fromEntries(others.map((name) => [name, () => kernel[name]()])) };
  },
};
`;

// Where they fit: src/measure/side-by-side.ts.
const fits = availableParallelism() > 1 && process.availableMemory() > 6e9;

test('two cells are prepared at once, and no two calls overlap', { skip: !fits }, async () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'watched.ts'), watched);
  const text = suiteText('pairs', ['dense.fused', 'window:w=8', 'topk:k=2']).replace('onnx-cpu', 'watched-cpu');
  writeFileSync(join(cwd, 'pairs.suite.ts'), text.replace('matrix:', "adapters: ['./watched.ts'],\n  matrix:"));
  const { exitCode, stderr } = await attnswap(['bench', './pairs.suite.ts'], { cwd });
  assert.equal(exitCode, 0, stderr);
  const events = readFileSync(join(cwd, 'watched.txt'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .sort((a, b) => Number(BigInt(a[3]!) - BigInt(b[3]!)));
  const calls = events.filter(([, , what]) => what !== 'prepared');
  for (const [index, [, pid, what]] of calls.entries()) {
    assert.equal(what, index % 2 === 0 ? 'called' : 'done');
    if (index % 2 === 1) assert.equal(calls[index - 1]![1], pid);
  }
  const timed = events.findIndex(([variant, , what], index) => {
    const earlier = events.slice(0, index).filter(([other, , was]) => other === variant && was === 'called');
    return variant === 'dense' && what === 'called' && earlier.length === 2;
  });
  const prepared = events.slice(0, timed).filter(([, , what]) => what === 'prepared');
  // Each for peak memory and for latency.
  for (const name of ['dense', 'window']) assert.equal(prepared.filter(([variant]) => variant === name).length, 2, name);
  assert.equal(prepared.length, 4);
});

test('a backend that this machine lacks is an unsupported cell with its mend, and exit 3', async () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'cuda.suite.ts'), suiteText('cuda', ['dense']).replace('onnx-cpu', 'onnx-cuda'));
  const { exitCode, stdout } = await attnswap(['bench', './cuda.suite.ts', '--quiet'], { cwd });
  assert.equal(exitCode, 3);
  assert.match(stdout, /unsupported: .*onnx-cuda/);
});

test('an interrupt leaves a valid record, and --resume measures only what is missing', async () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'long.suite.ts'), suiteText('long', ['dense.fused', 'window:w=8']));
  const child = execa(process.execPath, [main, 'bench', './long.suite.ts'], { cwd, reject: false });
  while (!existsSync(join(cwd, 'runs/long.run.json')) || record(cwd, 'long').cells.length < 1) await setTimeout(5);
  child.kill('SIGINT');
  assert.equal((await child).exitCode, 130);
  const partial = record(cwd, 'long');
  assert.equal(partial.complete, false);
  assert.equal(partial.cells.length, 1);
  const { exitCode } = await attnswap(['bench', './long.suite.ts', '--resume', '--quiet'], { cwd });
  assert.equal(exitCode, 0);
  const whole = record(cwd, 'long');
  assert.deepEqual(
    whole.cells.map(({ id }) => id),
    whole.declared,
  );
  assert.deepEqual(whole.cells.slice(0, 1), partial.cells);
});

test('killing attnswap itself at any cell leaves the last whole record', async () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'killed.suite.ts'), suiteText('killed', ['dense.fused', 'window:w=8']));
  const child = execa(process.execPath, [main, 'bench', './killed.suite.ts'], { cwd, reject: false });
  while (!existsSync(join(cwd, 'runs/killed.run.json'))) await setTimeout(5);
  child.kill('SIGKILL');
  await child;
  assert.equal(record(cwd, 'killed').cells.length, 1);
  assert.deepEqual(readdirSync(join(cwd, 'runs')), ['killed.run.json']);
});

test('a worker that outlives its time is a timed-out cell, and the run goes on', async () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'slow.suite.ts'), suiteText('slow', ['dense.fused', 'window:w=8'], 'timeoutSeconds: 0.05'));
  const { exitCode } = await attnswap(['bench', './slow.suite.ts', '--quiet'], { cwd });
  assert.equal(exitCode, 5);
  assert.deepEqual(
    record(cwd, 'slow').cells.map(({ status }) => status),
    ['timed-out', 'timed-out'],
  );
});

test('a full disk is an error with a hint, and leaves no record behind', async () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'full.suite.ts'), suiteText('full', ['dense.fused']));
  const { exitCode, stderr } = await attnswap(['bench', './full.suite.ts', '--quiet', '--out', '/dev/full/x.json'], { cwd });
  assert.equal(exitCode, 5);
  assert.match(stderr, /FILE_UNWRITABLE/);
});

const refused: Record<string, { options: BenchOptions; code: string; file?: string }> = {
  'an unknown suite': { options: { suite: 'lenghts' }, code: 'UNKNOWN_SUITE' },
  'a suite that throws': { options: { suite: './bad.suite.ts' }, code: 'INVALID_SUITE', file: "throw new Error('boom');" },
  'a suite without cells': {
    options: { suite: './bad.suite.ts' },
    code: 'INVALID_SUITE',
    file: suiteText('none', ['dense'], "exclude: [{ variant: 'dense' }]"),
  },
  'a suite with an unknown field': {
    options: { suite: './bad.suite.ts' },
    code: 'INVALID_SUITE',
    file: suiteText('odd', ['dense'], 'colour: 1'),
  },
  'an unknown variant': { options: { suite: './bad.suite.ts' }, code: 'UNKNOWN_VARIANT', file: suiteText('odd', ['dens']) },
  'an unknown parameter': { options: { suite: './bad.suite.ts' }, code: 'INVALID_PARAMETERS', file: suiteText('odd', ['topk:q=1']) },
  'a parameter out of range': { options: { suite: './bad.suite.ts' }, code: 'INVALID_PARAMETERS', file: suiteText('odd', ['topk:k=0']) },
  'an unknown kernel': { options: { suite: './bad.suite.ts' }, code: 'UNKNOWN_KERNEL', file: suiteText('odd', ['topk.fast']) },
  'an unknown backend': {
    options: { suite: './bad.suite.ts' },
    code: 'UNKNOWN_BACKEND',
    file: suiteText('odd', ['dense']).replace('onnx-cpu', 'abacus'),
  },
  'resuming from nothing': { options: { suite: 'smoke', resume: true }, code: 'FILE_UNREADABLE' },
};

for (const [name, { options, code, file }] of Object.entries(refused)) {
  test(`bench refuses ${name} with ${code}`, async () => {
    const cwd = emptyFolder();
    if (file !== undefined) writeFileSync(join(cwd, 'bad.suite.ts'), file);
    process.chdir(cwd);
    await assert.rejects(bench(options), { name: 'AttnswapError', code });
  });
}

test('what bench refuses is exit 5, with the code and nothing on standard output', async () => {
  const { exitCode, stderr, stdout } = await attnswap(['bench', 'lenghts']);
  assert.equal(exitCode, 5);
  assert.match(stderr, /\[UNKNOWN_SUITE\]/);
  assert.equal(stdout, '');
});

test('a truncated record is refused by name when it is resumed', async () => {
  process.chdir(emptyFolder());
  writeFileSync('cut.json', '{"schema": "attnswap.run/1", "cells": [');
  await assert.rejects(bench({ suite: 'smoke', resume: true, record: 'cut.json' }), { message: /cut\.json: .*not JSON/ });
});

test('a mistyped command is exit 5 with a suggestion', async () => {
  const { exitCode, stderr } = await attnswap(['bnech', 'smoke']);
  assert.equal(exitCode, 5);
  assert.match(stderr, /Did you mean bench/);
});

test('a worker that is killed by hand fails its cell alone', async () => {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, 'mine.suite.ts'), suiteText('mine', ['dense.fused', 'window:w=8']));
  const child = execa(process.execPath, [main, 'bench', './mine.suite.ts'], { cwd, reject: false });
  await untilStderr(child, '[1/');
  const workers = async () => (await execa('pgrep', ['-P', String(child.pid), '-f', 'worker'], { reject: false })).stdout.split('\n');
  let [worker = ''] = await workers();
  while (worker === '') [worker = ''] = await workers();
  process.kill(Number(worker), 'SIGKILL');
  assert.equal((await child).exitCode, 5);
  const run = record(cwd, 'mine');
  assert.deepEqual(
    run.cells.map(({ status }) => status),
    ['failed', 'ok'],
  );
  assert.match(run.cells[0]!.reason!, /SIGKILL/);
});

test('captured inputs are measured like any other', async () => {
  const cwd = emptyFolder();
  const shape = { batch: 1, heads: 2, kvHeads: 2, queries: 64, keys: 64, headDim: 16, causal: true, dtype: 'f32' as const };
  await writeInputs(join(cwd, 'mine.safetensors'), drawGaussian(shape, 1));
  const text = suiteText('mine', ['topk:k=4']).replace(
    /lengths: \[[^\]]*\]/,
    `lengths: [64], heads: 2, headDim: 16, inputs: ['captured:mine.safetensors']`,
  );
  writeFileSync(join(cwd, 'mine.suite.ts'), text);
  const { exitCode, stdout, stderr } = await attnswap(['bench', './mine.suite.ts', '--quiet'], { cwd });
  assert.equal(exitCode, 0, stdout + stderr);
  assert.match(stdout, /captured:mine\.safetensors/);
});
