import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { doneSchema } from '../../src/protocol/messages.ts';
import { startWorker } from '../../src/protocol/worker-process.ts';
import { writeWeights } from '../../src/training/initial-weights.ts';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { trainedAttentions } from '../../src/training/fixtures/trained-testbeds.ts';
import { testTrainer } from '../../src/training/fixtures/trainer-tests.ts';
import { dataOf, drawItems, inOneProcess, layersOf, orderOf } from '../../src/training/fixtures/training-requests.ts';
import { smallTestbed, stirredWeights, translating } from '../../src/training/fixtures/small-testbed.ts';
import type { Testbed } from '../../src/training/testbed.ts';
import { skip as withoutTorch } from '../../tests/torch-installed.ts';
import { workerFolder } from '../torch/adapter.ts';
import { findPython } from '../torch/python.ts';
import { adapter } from './adapter.ts';

const script = fileURLToPath(new URL('./training/worker.ts', import.meta.url));
const commandOf = (backend: string): [string, ...string[]] => [process.execPath, script, backend];
const node = await adapter.status('tfjs-node');
testTrainer({ adapter, backend: 'tfjs-wasm', command: commandOf('tfjs-wasm'), translates: true });
const eachWay = ['dense', 'block-topk:block=4,blocks=3', 'gated:sparsity=0.4,rank=2'];
testTrainer({
  adapter,
  backend: 'tfjs-node',
  command: commandOf('tfjs-node'),
  skip: node.available ? false : node.reason,
  attentions: eachWay,
});

const isSparseGate = (text: string) => /^gated:.*sparsity/.test(text);

const onWasm = inOneProcess({ backend: 'tfjs-wasm', command: commandOf('tfjs-wasm') });
const onTorch = inOneProcess({ backend: 'torch-cpu', command: [findPython(), '-B', workerFolder] });

/** Losses of twenty steps. */
async function curve(start: typeof onWasm, text: string): Promise<readonly number[]> {
  return curveOf(start, smallTestbed({ attention: [text, text], position: 'rotary' }));
}

async function curveOf(start: typeof onWasm, testbed: Testbed): Promise<readonly number[]> {
  const training = await start(testbed, { optimizer: { learningRate: 0.003, warmUpSteps: 5, steps: 20 } });
  const request = {
    attention: layersOf(testbed),
    data: await dataOf('curve', drawItems(testbed, 16)),
    order: await orderOf('curve-order', 20, 8),
  };
  return (await training.epoch(request)).losses;
}

test('tfjs-wasm: attention that keeps a state, or gates queries, is refused by name', async () => {
  await assert.rejects(curve(onWasm, 'linear'), /the tfjs trainer has no linear attention/);
  await assert.rejects(curve(onWasm, 'gated:form=output'), /the tfjs trainer has no gated attention with form=output/);
});

const asPyTorch = [
  'dense',
  'topk:k=5',
  'window:w=8',
  'hierarchical',
  'block-topk:block=4,blocks=3',
  ...trainedAttentions.filter(isSparseGate),
];

for (const text of asPyTorch)
  test(`${text}: twenty steps lose what PyTorch loses`, { skip: withoutTorch }, async (context) =>
    requireSame(context, await curve(onWasm, text), await curve(onTorch, text)),
  );

test('twenty steps of a translation lose what PyTorch loses', { skip: withoutTorch }, async (context) => {
  const encoder = { length: 40, attention: ['window:w=8'], cross: ['topk:k=5', 'gated:rank=2'] };
  const testbed = translating({ attention: ['dense', 'hierarchical'], encoder, position: 'rotary' });
  requireSame(context, await curveOf(onWasm, testbed), await curveOf(onTorch, testbed));
});

function requireSame(context: TestContext, found: readonly number[], expected: readonly number[]): void {
  const largest = Math.max(...expected.map((loss, step) => Math.abs(loss - found[step]!)));
  context.diagnostic(`largest difference ${largest.toExponential(1)} nats`);
  assert.equal(found.length, 20);
  assert.ok(expected.at(-1)! < expected[0]!, `losses ${expected.join(' ')}`);
  assert.ok(largest < 1e-3, `${found.join(' ')}, PyTorch ${expected.join(' ')}`);
}

test('whoever asked goes away in the middle of an epoch: the process ends by itself', async () => {
  const worker = startWorker({ command: commandOf('tfjs-wasm') });
  const testbed = smallTestbed();
  const weights = join(mkdtempSync(join(tmpdir(), 'attnswap-left-')), 'weights.safetensors');
  await writeWeights(weights, testbed, stirredWeights(testbed));
  const optimizer = { learningRate: 0.01, weightDecay: 0, warmUpSteps: 0, steps: 1e5, clip: 1 };
  await worker.ask('train-prepare', { testbed, weights, attention: layersOf(testbed), optimizer, teacher: null }, doneSchema);
  const [data, order] = [await dataOf('left', drawItems(testbed, 8)), await orderOf('left-order', 1e5, 8)];
  const epoch = worker.ask('train-epoch', { attention: layersOf(testbed), data, order }, doneSchema);
  const late = setTimeout(10_000, 'still there', { ref: false });
  assert.notEqual(await Promise.race([worker.endInput(), late]), 'still there');
  await assert.rejects(epoch, /exited with code 0 when asked train-epoch/);
});

test('what is not there, or cannot read scores at once, is unsupported with the reason', async () => {
  const testbed = smallTestbed();
  const request = {
    testbed,
    weights: 'none',
    attention: layersOf(testbed),
    optimizer: { learningRate: 1, weightDecay: 0, warmUpSteps: 0, steps: 1, clip: 1 },
  };
  assert.match(String(((await adapter.train!({ ...request, backend: 'tfjs-webgpu' })) as { unsupported?: string }).unsupported), /WebGPU/);
});
