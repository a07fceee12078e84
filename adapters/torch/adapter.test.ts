import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { KernelDescription, PreparedKernel } from '../../src/contract/adapter.ts';
import type { DType } from '../../src/contract/shape.ts';
import { roundToDType } from '../../src/inputs/half-precision.ts';
import { helloSchema } from '../../src/protocol/messages.ts';
import type { Hello } from '../../src/protocol/messages.ts';
import { workerAdapter } from '../../src/protocol/worker-adapter.ts';
import { createCaseInputs } from '../../src/variants/case-inputs.ts';
import { findVariant, parseVariant } from '../../src/variants/index.ts';
import { assertWithinBudget } from '../../src/variants/judge.ts';
import { adapter, workerFolder } from './adapter.ts';
import { skip } from '../../tests/torch-installed.ts';
import { findPython } from './python.ts';

const python = findPython();
const noPython = spawnSync(python, ['--version']).status === 0 ? false : `${python} does not start`;
const shared = adapter.inOneProcess!();
after(() => shared.close());

/** What a worker whose torch is broken by a stub says of itself. */
function helloWithoutTorch(): Hello {
  const folder = mkdtempSync(join(tmpdir(), 'attnswap-torch-'));
  writeFileSync(join(folder, 'torch.py'), 'print("a stray line")\nraise OSError("libcudart.so: no such file")\n');
  const input = '{"id": 1, "ask": "hello"}\n{"id": 2, "ask": "dance"}\n';
  const { stdout } = spawnSync(python, ['-B', workerFolder], { input, encoding: 'utf8', env: { ...process.env, PYTHONPATH: folder } });
  const [hello = '', dance = ''] = stdout.split('\n');
  assert.match(dance, /"error": "no such question: 'dance'"/);
  return helloSchema.parse(JSON.parse(hello));
}

test('without torch the worker says which Python lacks what; what libraries print stays off its answers', { skip: noPython }, () => {
  for (const backend of helloWithoutTorch().backends) {
    assert.ok(!backend.available);
    assert.match(backend.reason, /cannot import torch: OSError: libcudart\.so/);
    assert.match(backend.mend, /pip install torch.*ATTNSWAP_PYTHON/);
  }
});

test('the worker and the adapter list the same kernels in the same order', { skip: noPython }, () => {
  const facts = ({ variant, kernel, summary, takesBias, lacking }: Hello['kernels'][number] | KernelDescription) => [
    ...[variant, kernel, summary],
    ...[takesBias, lacking],
  ];
  assert.deepEqual(helloWithoutTorch().kernels.map(facts), adapter.kernels.map(facts));
});

test('the pairs that a kernel scores are at least those of its variant, and all n² only where it says so', { skip: noPython }, () => {
  const scored = new Map(helloWithoutTorch().kernels.map(({ variant, kernel, scored: says }) => [`${variant}.${kernel}`, says]));
  const parameters = {
    gated: 'gated:block=32,sparsity=0.5',
    window: 'window:w=64,globals=3',
    'grid-window': 'grid-window:grid=27x37,w=5,globals=1',
    'block-topk': 'block-topk:block=32,blocks=4',
  };
  for (const { variant, kernel, scoredPairs } of adapter.kernels) {
    const spec = parseVariant(parameters[variant as keyof typeof parameters] ?? variant);
    for (const { queries, causal } of [
      { queries: 1000, causal: true },
      { queries: 1000, causal: false },
      { queries: 333, causal: true },
    ]) {
      const shape = { batch: 2, heads: 8, kvHeads: 8, queries, keys: 1000, headDim: 16, causal, dtype: 'f32' as const };
      if (findVariant(variant).refuses(spec.parameters, shape) !== undefined) continue;
      const pairs = scoredPairs(spec.parameters, shape);
      assert.ok(pairs >= findVariant(variant).cost(spec.parameters, shape).scoredPairs, `${variant}.${kernel} ${queries} ${causal}`);
      const whole = 2 * 8 * queries * 1000;
      const sparse = !['dense', 'topk'].includes(variant);
      assert.ok(pairs <= (sparse ? 0.7 : 1) * whole, `${variant}.${kernel} ${queries} ${causal}: ${pairs} of ${whole}`);
      if (scored.get(`${variant}.${kernel}`) === 'all' && variant === 'dense') assert.equal(pairs, whole);
    }
  }
});

test('Python is what ATTNSWAP_PYTHON names, else the active environment, else the one on the path', () => {
  const folder = mkdtempSync(join(tmpdir(), 'attnswap-venv-'));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin', 'python3'), '');
  assert.equal(findPython({ ATTNSWAP_PYTHON: '/opt/python', VIRTUAL_ENV: folder }, 'linux'), '/opt/python');
  assert.equal(findPython({ VIRTUAL_ENV: folder }, 'linux'), join(folder, 'bin', 'python3'));
  assert.equal(findPython({ VIRTUAL_ENV: join(folder, 'gone') }, 'linux'), 'python3');
  assert.equal(findPython({}, 'linux'), 'python3');
  assert.equal(findPython({}, 'win32'), 'python');
});

test('a Python that is not there is an unavailable backend with what mends it', async () => {
  const absent = workerAdapter({ name: 'torch', backends: ['torch-cpu'], kernels: [], command: ['/no/such/python'], mend: 'install it' });
  const status = await absent.status('torch-cpu');
  assert.ok(!status.available);
  assert.equal(status.mend, 'install it');
});

test('torch-cpu says which PyTorch, how many threads and which BLAS', { skip }, async () => {
  const status = await adapter.status('torch-cpu');
  assert.ok(status.available);
  assert.match(status.version, /^PyTorch \d/);
  assert.ok(status.threads! >= 1);
  assert.ok(status.details!['BLAS']!.length > 0);
  assert.ok(status.dtypes.includes('f32'));
});

test('as many threads as wished: OpenBLAS’s own are no more', { skip }, (context) => {
  const script = `
import sys; sys.path.insert(0, sys.argv[1])
from attnswap_torch import blas, device
from attnswap_torch.torch_import import torch
device.settle(3)
print(torch.get_num_threads(), *(pool.openblas_get_num_threads() for pool in blas.own_pools()))
device.settle(1)
print(torch.get_num_threads(), *(pool.openblas_get_num_threads() for pool in blas.own_pools()))
print(any('libopenblasp' in path for path in blas.shared_libraries()))`;
  const { stdout } = spawnSync(python, ['-B', '-c', script, workerFolder], { encoding: 'utf8' });
  const [three, one, own] = stdout.trim().split('\n');
  if (own === 'False') return context.skip('this PyTorch multiplies without an OpenBLAS of its own threads');
  assert.deepEqual([three, one], ['3 3', '1 1']);
});

const request = { backend: 'torch-cpu', purpose: 'latency' as const };
const mayDecline = ({ variant, kernel }: KernelDescription) => variant === 'dense' || kernel === 'flex';

async function prepared(text: string, dtype: DType = 'f32'): Promise<PreparedKernel> {
  const made = await tried(text, { dtype });
  assert.ok(!('unsupported' in made), 'unsupported' in made ? made.unsupported : '');
  return made;
}

function tried(text: string, { dtype = 'f32', kvHeads = 2 }: { readonly dtype?: DType; readonly kvHeads?: number } = {}) {
  const { variant, kernel, parameters } = parseVariant(text);
  const kernelName = kernel ?? adapter.kernels.find((known) => known.variant === variant)!.kernel;
  const shape = { batch: 1, heads: 4, kvHeads, queries: 150, keys: 150, headDim: 16, causal: true, dtype };
  return shared.prepare({ ...request, variant, kernel: kernelName, parameters, inputs: caseInputs(shape) });
}

function caseInputs(shape: Parameters<typeof createCaseInputs>[0]['shape']) {
  const inputs = createCaseInputs({ shape, mask: 'none', values: 'normal', seed: 3 });
  for (const values of [inputs.query, inputs.key, inputs.value, inputs.gate!.u, inputs.gate!.w, inputs.gate!.b])
    roundToDType(values, shape.dtype);
  return inputs;
}

for (const dtype of ['f16', 'bf16'] as const) {
  test(`torch-cpu: every kernel that serves ${dtype} agrees with the float64 reference`, { skip }, async (context) => {
    const status = await adapter.status('torch-cpu');
    if (!status.available || !status.dtypes.includes(dtype)) return context.skip(`this PyTorch has no ${dtype} products on processors`);
    const parameters = {
      hierarchical: ':ratio=1:1:1',
      gated: ':sparsity=0.3',
      'block-topk': ':block=16,blocks=3',
      window: ':w=40',
      'grid-window': ':grid=10x15,w=3',
    };
    for (const known of adapter.kernels.filter((one) => !mayDecline(one) || ['naive', 'tiled'].includes(one.kernel))) {
      const text = `${known.variant}.${known.kernel}${parameters[known.variant as keyof typeof parameters] ?? ''}`;
      const kernel = await prepared(text, dtype);
      await kernel.run();
      const shape = { batch: 1, heads: 4, kvHeads: 2, queries: 150, keys: 150, headDim: 16, causal: true, dtype };
      const spec = parseVariant(text);
      const options = { rows: 'all' as const, ambiguousShare: 1 };
      assertWithinBudget(await kernel.output(), caseInputs(shape), findVariant(spec.variant), spec.parameters, options);
      if (known.kernel === 'naive' && process.arch === 'x64') {
        const { flags } = await kernel.dispatch();
        assert.match(flags.join('; '), new RegExp(`${dtype} (ran natively in oneDNN \\(|was emulated: .* to f32 and back)`));
      }
      await kernel.dispose();
    }
  });
}

test('the profile names the operators of one call, and what materialises n² says so', { skip }, async () => {
  const naive = await prepared('dense.naive');
  const { operators, flags } = await naive.dispatch();
  assert.ok(
    operators.some(({ operator, totalNs, calls }) => /mm/.test(operator) && totalNs > 0 && calls >= 2),
    JSON.stringify(operators),
  );
  assert.deepEqual(flags, ['the n² logits were materialised']);
  await naive.dispose();
  const tiled = await prepared('dense.tiled');
  assert.deepEqual((await tiled.dispatch()).flags, []);
  await tiled.dispose();
});

for (const [text, says] of [
  ['dense.compiled', 'scaled_dot_product_attention ran its flash backend'],
  ['dense.compiled-naive', 'torch.compile put no attention operator in: the n² logits were written out'],
] as const) {
  test(`the profile says whether the compiler put the fused operator in: ${text}`, { skip }, async (context) => {
    const kernel = await tried(text, { kvHeads: 4 });
    if ('unsupported' in kernel) return context.skip(kernel.unsupported);
    assert.deepEqual((await kernel.dispatch()).flags, [says]);
    await kernel.dispose();
  });
}

test('a kernel that the worker lacks, or a second one at a time, is refused', { skip }, async () => {
  const inputs = caseInputs({ batch: 1, heads: 4, kvHeads: 2, queries: 9, keys: 9, headDim: 16, causal: true, dtype: 'f32' });
  const given = { ...request, variant: 'dense', parameters: {}, inputs };
  assert.deepEqual(await shared.prepare({ ...given, kernel: 'none' }), { unsupported: 'torch has no kernel dense.none' });
  const first = await prepared('dense.naive');
  await assert.rejects(shared.prepare({ ...given, kernel: 'naive' }), /one kernel at a time/);
  await first.dispose();
});
