import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import { AttnswapError } from '../contract/errors.ts';
import { drawGate } from '../inputs/gate.ts';
import { drawGaussian } from '../inputs/gaussian.ts';
import { findVariant } from '../variants/index.ts';
import { settleParameters } from '../variants/settle-parameters.ts';
import { measureHeads, measureWasteInThreads } from './in-threads.ts';
import type { HeadAnswer } from './in-threads.ts';
import { measureWaste } from './measure-waste.ts';
import type { WasteRequest } from './request.ts';

const shape = { batch: 2, heads: 3, kvHeads: 1, queries: 90, keys: 8000, headDim: 4, causal: true, dtype: 'f32' } as const;
const mask = new Uint8Array(shape.batch * shape.keys).fill(1).fill(0, 7900, 8000);
const inputs = { ...drawGaussian(shape, 4), mask, gate: drawGate(shape, undefined, 5) };
const dense = findVariant('dense');

function request(part: Partial<WasteRequest> = {}): WasteRequest {
  return { inputs, inputsName: 'gaussian', variant: dense, parameters: {}, dense, rows: 'all', ...part };
}

/** Measures in two threads; returns the report or the error, with what the threads said and whether they have ended. */
async function inTwoThreads(given: WasteRequest) {
  const threads: Worker[] = [];
  const answers: HeadAnswer[] = [];
  const watch = (thread: Worker) => {
    threads.push(thread);
    thread.on('message', (answer: HeadAnswer) => answers.push(answer));
  };
  process.on('worker', watch);
  try {
    const [outcome] = await Promise.allSettled([measureWasteInThreads(given, 2)]);
    return { outcome, answers, ended: threads.map(({ threadId }) => threadId === -1) };
  } finally {
    process.off('worker', watch);
  }
}

test('heads measured in threads give the same report to the bit', async () => {
  const gated = findVariant('gated');
  const groups = [{ name: 'image', from: 100, to: 5000 }];
  const given = request({ variant: gated, parameters: settleParameters(gated, { sparsity: 0.5 }), kernelScoredPairs: 1e7, groups });
  const { outcome, answers, ended } = await inTwoThreads(given);
  assert.deepEqual(outcome, { status: 'fulfilled', value: measureWaste(given) });
  assert.deepEqual(new Set(answers.map(({ head }) => head)), new Set([0, 1, 2]));
  assert.deepEqual(ended, [true, true]);
});

test('what threads cannot be given is measured without them', async () => {
  for (const part of [{ relevant: () => [3] }, { variant: { ...dense, name: 'own' } }]) {
    const { outcome, ended } = await inTwoThreads(request(part));
    assert.equal(outcome?.status, 'fulfilled');
    assert.deepEqual(ended, []);
  }
});

/** The inputs with a query that is not a number in some heads of the first batch element. */
function withFaults(heads: readonly number[]) {
  const query = inputs.query.slice();
  for (const head of heads) query[(head * shape.queries + 4) * shape.headDim] = NaN;
  return { ...inputs, query };
}

test('an error of threads is the one that measuring without threads gives, and is found once', async () => {
  const given = request({ inputs: withFaults([0, 1, 2]) });
  const [expected] = await Promise.allSettled([measureWasteInThreads(given, 1)]);
  const { outcome, answers, ended } = await inTwoThreads(given);
  assert.ok(outcome.status === 'rejected' && outcome.reason instanceof AttnswapError);
  assert.match(outcome.reason.message, /batch 0, head 0, query 4:/);
  assert.deepEqual(outcome, expected);
  assert.ok(answers.length <= 2 && answers.every((answer) => 'fault' in answer));
  assert.deepEqual(ended, [true, true]);
});

test('after a head that cannot be measured, no thread takes another', () => {
  const nextHead = new Int32Array(new SharedArrayBuffer(4));
  const answers: HeadAnswer[] = [];
  const given = { ...request({ inputs: withFaults([1]) }), variant: dense.name, dense: dense.name, nextHead };
  measureHeads(given, (answer) => answers.push(answer));
  assert.deepEqual(
    answers.map((answer) => [answer.head, 'fault' in answer]),
    [
      [0, false],
      [1, true],
    ],
  );
  assert.ok(nextHead[0]! >= shape.heads);
});

test('threads that end early are an error, not a slower way', async () => {
  const end = (thread: Worker) => void thread.terminate();
  process.on('worker', end);
  try {
    await assert.rejects(measureWasteInThreads(request(), 2), /^Error: waste: (a thread ended with|threads measured 0 of 3)/);
  } finally {
    process.off('worker', end);
  }
});

test('threads start in a program that node was given as text', async () => {
  const module = (path: string) => JSON.stringify(import.meta.resolve(path));
  const program = `
    const { measureWasteInThreads } = await import(${module('./in-threads.ts')});
    const { findVariant } = await import(${module('../variants/index.ts')});
    const shape = ${JSON.stringify(shape)};
    const [query, key] = [shape.heads * shape.queries, shape.keys].map((rows) => new Float32Array(shape.batch * rows * shape.headDim).fill(NaN));
    const dense = findVariant('dense');
    const request = { inputs: { shape, query, key, value: key, scale: 1 }, inputsName: 'NaN', variant: dense, parameters: {}, dense, rows: 'all' };
    await measureWasteInThreads(request, 2).catch((error) => console.log(error.code));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  assert.equal(stdout, 'INVALID_INPUTS\n');
});
