import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { KernelRequest, PreparedKernel } from '../../src/contract/adapter.ts';
import { createCaseInputs } from '../../src/variants/case-inputs.ts';
import { conformanceCases } from '../../src/variants/cases.ts';
import { findVariant, parseVariant } from '../../src/variants/index.ts';
import { judgeOutput } from '../../src/variants/judge.ts';
import '../../tests/optional-runtimes.ts';
import { adapter } from './adapter.ts';
import { loadEngine } from './backends.ts';
import { restoreNodeUtil } from './restore-node-util.ts';

const shape = { batch: 2, heads: 4, kvHeads: 2, queries: 70, keys: 70, headDim: 16, causal: true, dtype: 'f32' as const };
const inputs = createCaseInputs({ shape, mask: 'tail', values: 'normal', seed: 1 });

async function prepare(given: Partial<KernelRequest> & { text?: string }): Promise<PreparedKernel> {
  const { variant, parameters } = parseVariant(given.text ?? 'dense');
  const kernel = adapter.kernels.find((known) => known.variant === variant)!.kernel;
  const request = { backend: 'tfjs-wasm', variant, parameters, kernel, inputs, purpose: 'latency' as const, ...given };
  const prepared = await adapter.prepare(request);
  assert.ok(!('unsupported' in prepared), 'unsupported' in prepared ? prepared.unsupported : '');
  return prepared;
}

test('importing the adapter loads no part of TensorFlow.js', async () => {
  const module = JSON.stringify(new URL('./adapter.ts', import.meta.url).href);
  const script = `await import(${module}); const { Module } = await import('node:module');
    console.log(Object.keys(Module._cache).filter((path) => path.includes('@tensorflow')).length);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  assert.equal(stdout.trim(), '0');
});

const texts = [
  ...['dense', 'topk:k=9', 'window:w=17,globals=2', 'grid-window:grid=7x10,w=3', 'gated:sparsity=0.3', 'gated:sparsity=0.4,block=16'],
  ...['hierarchical:local=4,region=16,ratio=1:1:1', 'block-topk:block=16,blocks=3', 'linear', 'linear:rule=gated-delta'],
];
for (const backend of ['tfjs-cpu', 'tfjs-wasm']) {
  for (const text of texts) {
    test(`${backend}: calls of ${text} leave no tensors behind`, async () => {
      const { tf } = await loadEngine(backend);
      const before = tf.memory().numTensors;
      const kernel = await prepare({ backend, text });
      await kernel.run();
      const held = tf.memory().numTensors;
      for (let call = 0; call < 3; call++) await kernel.run();
      assert.equal(tf.memory().numTensors, held);
      await kernel.dispatch();
      assert.equal(tf.memory().numTensors, held);
      await kernel.dispose();
      assert.equal(tf.memory().numTensors, before);
    });
  }
}

test('two backends in one process take turns', async () => {
  const [first, second] = [await prepare({ backend: 'tfjs-cpu' }), await prepare({ backend: 'tfjs-wasm' })];
  await Promise.all([first.run(), second.run(), first.run()]);
  const [left, right] = [await first.output(), await second.output()];
  assert.ok(left.every((value, index) => Math.abs(value - right[index]!) < 1e-5));
  await first.dispose();
  await second.dispose();
});

test('there is no output before a call has ended', async () => {
  const kernel = await prepare({});
  await assert.rejects(kernel.output(), { code: 'WORKER_FAILED' });
  await kernel.dispose();
});

test('a measured peak runs in a WebAssembly memory that has not grown yet, and gives the same output', async () => {
  const [plain, measured] = [await prepare({}), await prepare({ purpose: 'memory' })];
  await plain.run();
  await measured.run();
  const first = await measured.output();
  await measured.run();
  assert.deepEqual(await measured.output(), first);
  assert.equal(await measured.peakDeviceBytes(), null);
  await measured.dispose();
});

test('the profile names the operations and says where selection ran', async () => {
  const kernel = await prepare({ text: 'topk:k=5' });
  const { operators, flags } = await kernel.dispatch();
  assert.ok(operators.some(({ operator, calls }) => operator === 'BatchMatMul' && calls > 0));
  assert.ok(flags.some((flag) => flag.startsWith('selection ran in JavaScript')));
  assert.ok(flags.includes('single-threaded'));
  await kernel.dispose();
});

test('types that tfjs lacks are unsupported, and so are gradients', async () => {
  const { variant, parameters } = parseVariant('dense');
  const request = { backend: 'tfjs-wasm', variant, parameters, kernel: 'tiled', purpose: 'latency' as const };
  const half = await adapter.prepare({ ...request, inputs: { ...inputs, shape: { ...shape, dtype: 'f16' } } });
  assert.deepEqual(half, { unsupported: 'tfjs-wasm has no f16 tensors, only f32' });
  const gradient = await adapter.prepare({ ...request, inputs, outputGradient: new Float32Array(1) });
  assert.deepEqual(gradient, { unsupported: 'the tfjs adapter does not support gradients' });
});

test('a number of threads that the backend does not have is unsupported', async () => {
  const { variant, parameters } = parseVariant('dense');
  const request = { backend: 'tfjs-wasm', variant, parameters, kernel: 'tiled', purpose: 'latency', inputs } as const;
  assert.deepEqual(await adapter.prepare({ ...request, threads: 4 }), { unsupported: 'tfjs-wasm runs on 1 thread here, not on 4' });
});

test('loading a backend leaves no handler of the process behind', async () => {
  const script = `const { adapter } = await import(${JSON.stringify(new URL('./adapter.ts', import.meta.url).href)});
    await adapter.status('tfjs-wasm');
    console.log(process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection'));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  assert.equal(stdout.trim(), '0');
});

const noWebgpu = await adapter.status('tfjs-webgpu').then((status) => (status.available ? false : status.reason));

test('an error of the GPU is thrown once, where tfjs throws none', { skip: noWebgpu }, async () => {
  // TensorFlow.js 4.22 cannot transpose what was cast from bool. In a process of its own, which Dawn keeps.
  const script = `const { loadWebgpu } = await import(${JSON.stringify(new URL('./load-webgpu.ts', import.meta.url).href)});
    const engine = await loadWebgpu();
    const { tf } = engine;
    const said = () => engine.synchronize().then(() => 'nothing', (error) => error.message);
    const mask = tf.cast(tf.greater(tf.tensor([1, -1, 1], [1, 3, 1]), 0), 'float32');
    tf.transpose(mask, [1, 2, 0]);
    const told = [await said(), await said()];
    tf.add(mask, 1);
    console.log('told', JSON.stringify([...told, await said()]));
    process.exit();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  const [first, ...later] = JSON.parse(/^told (.*)$/m.exec(stdout)![1]!) as string[];
  assert.match(first!, /^WebGPU: .*expected 'f32', got 'i32'$/);
  assert.deepEqual(later, ['nothing', 'nothing']);
});

test('tfjs-node that is not installed is unsupported, with the command that installs it', async () => {
  const status = await adapter.status('tfjs-node-gpu');
  assert.ok(!status.available);
  assert.equal(status.reason, '@tensorflow/tfjs-node-gpu is not installed');
  assert.match(status.mend, /^npm install @tensorflow\/tfjs-node-gpu/);
});

test('functions that Node removed from util are there again', () => {
  const util = createRequire(import.meta.url)('node:util') as Record<string, (value: unknown) => boolean>;
  restoreNodeUtil();
  assert.equal(util['isNullOrUndefined']!(null), true);
  assert.equal(util['isNullOrUndefined']!(0), false);
  assert.equal(util['isArray']!([]), true);
});

/** A package that stands for tfjs-node: its `tensorflow` backend is the plain JavaScript one. */
async function standInPackage(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'attnswap-tfjs-node-'));
  const from = (name: string) => JSON.stringify(fileURLToPath(import.meta.resolve(name)));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: '@tensorflow/tfjs-node', version: '4.22.0', main: 'index.js' }));
  await writeFile(
    join(folder, 'index.js'),
    `if (!require('util').isNullOrUndefined(undefined)) throw new Error('util was not restored');
    const tf = require(${from('@tensorflow/tfjs-core')});
    require(${from('@tensorflow/tfjs-backend-cpu')});
    tf.copyRegisteredKernels('cpu', 'tensorflow');
    tf.registerBackend('tensorflow', () => Object.assign(tf.findBackendFactory('cpu')(), { firstUse: false }));
    module.exports = tf;`,
  );
  return folder;
}

test('tfjs-node is loaded from the folder that the environment names; kernels for all heads at once agree with the reference', async () => {
  const folder = await standInPackage();
  process.env['ATTNSWAP_TFJS_NODE'] = folder;
  try {
    const status = await adapter.status('tfjs-node');
    assert.ok(status.available, JSON.stringify(status));
    assert.equal(status.version, '@tensorflow/tfjs-node 4.22.0');
    const plain = conformanceCases.filter(({ bias, softcap, sinks }) => [bias, softcap, sinks].every((each) => each === undefined));
    for (const given of plain.filter(({ shape: { queries, keys } }) => queries * keys <= 10_000)) {
      if (!adapter.kernels.some(({ variant }) => variant === given.variant)) continue;
      const { parameters } = given;
      const variant = findVariant(given.variant);
      if (variant.refuses(parameters, given.shape) !== undefined) continue;
      const caseInputs = createCaseInputs(given);
      const kernel = await prepare({ backend: 'tfjs-node', text: given.variant, parameters, inputs: caseInputs });
      await kernel.run();
      const options = { rows: 'all', exactLogits: given.exactLogits } as const;
      const judgement = judgeOutput(await kernel.output(), caseInputs, variant, parameters, options);
      assert.ok(judgement.ok, `${given.name}: ${judgement.reason}`);
      await kernel.dispose();
    }
  } finally {
    delete process.env['ATTNSWAP_TFJS_NODE'];
    await rm(folder, { recursive: true });
  }
});
