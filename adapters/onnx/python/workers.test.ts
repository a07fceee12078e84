import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openvinoStandIn, skipWithout } from '../../../tests/onnx-python-installed.ts';
import type { Adapter, KernelRequest } from '../../../src/contract/adapter.ts';
import { drawGaussian } from '../../../src/inputs/gaussian.ts';
import { roundToDType } from '../../../src/inputs/half-precision.ts';
import { helloSchema } from '../../../src/protocol/messages.ts';
import { findVariant, parseVariant } from '../../../src/variants/index.ts';
import { judgeOutput } from '../../../src/variants/judge.ts';
import { adapter as openvino } from '../../openvino/adapter.ts';
import { adapter as ortPython } from '../../ort-python/adapter.ts';
import { graphPython, workerFolder } from './graph-worker.ts';

// Conformance of every kernel is adapters/conformance.test.ts; here: faults, and what the workers say of themselves.
const backends = [
  { adapter: openvino, backend: 'openvino-cpu', packageName: 'openvino' },
  { adapter: ortPython, backend: 'ort-cpu', packageName: 'onnxruntime' },
] as const;
const shape = { batch: 1, heads: 4, kvHeads: 4, queries: 100, keys: 100, headDim: 8, causal: true, dtype: 'f32' as const };
const inputs = drawGaussian(shape, 7);

function requestOf(text: string, backend: string): KernelRequest {
  const { variant, kernel, parameters } = parseVariant(text);
  return { backend, variant, kernel: kernel!, parameters, inputs, purpose: 'latency', threads: 1 };
}

async function outputOf(adapter: Adapter, request: KernelRequest): Promise<Float32Array> {
  const prepared = await adapter.prepare(request);
  assert.ok(!('unsupported' in prepared), 'unsupported' in prepared ? prepared.unsupported : '');
  try {
    await prepared.run();
    return await prepared.output();
  } finally {
    await prepared.dispose();
  }
}

/** Kernels with one fault each; the judge knows the truth. */
const mutants: Record<string, { readonly text: string; readonly fault: (request: KernelRequest) => Partial<KernelRequest> }> = {
  'a missing scale': { text: 'dense.tiled', fault: (given) => ({ inputs: { ...given.inputs, scale: 1 } }) },
  'a leaked future': { text: 'dense.naive', fault: (given) => ({ inputs: { ...given.inputs, shape: { ...shape, causal: false } } }) },
  'one key too few': { text: 'topk.tiled:k=8', fault: () => ({ parameters: { k: 7 } }) },
  'a window off by one': { text: 'window.tiled:w=16', fault: () => ({ parameters: { w: 17, globals: 0 } }) },
  'one block too few': { text: 'block-topk.blocks:block=8,blocks=4', fault: () => ({ parameters: { block: 8, blocks: 3 } }) },
};
const ortMutants: typeof mutants = {
  'a decay a hundredth off': {
    text: 'linear.chunked:rule=gated,decay=0.9',
    fault: () => ({ parameters: { rule: 'gated', decay: 0.909 } }),
  },
};
const ownMutants: typeof mutants = {
  'a scale of its own': { text: 'dense.sdpa', fault: (given) => ({ inputs: { ...given.inputs, scale: 0.5 } }) },
  'a future of its own': { text: 'dense.sdpa', fault: (given) => ({ inputs: { ...given.inputs, shape: { ...shape, causal: false } } }) },
};

for (const { adapter, backend, packageName } of backends) {
  const skip = await skipWithout(adapter, backend);
  const shared = adapter.inOneProcess!();
  after(() => shared.close());

  test(`${backend} says which version, device and threads`, { skip }, async () => {
    const status = await adapter.status(backend);
    assert.ok(status.available);
    assert.match(status.version, packageName === 'openvino' ? /^OpenVINO \d/ : /^ONNX Runtime \d/);
    assert.ok(status.device.length > 0);
    assert.ok(status.threads! >= 1);
    assert.equal(status.dtypes[0], 'f32');
  });

  for (const [name, { text, fault }] of Object.entries({ ...mutants, ...(packageName === 'openvino' ? ownMutants : ortMutants) })) {
    test(`${backend}: the check passes ${text} and catches it with ${name}`, { skip }, async () => {
      const truth = requestOf(text, backend);
      const judge = (values: Float32Array) =>
        judgeOutput(values, inputs, findVariant(truth.variant), truth.parameters, { rows: 'all', exactLogits: false });
      assert.equal(judge(await outputOf(shared, truth)).reason, undefined);
      assert.equal(judge(await outputOf(shared, { ...truth, ...fault(truth) })).ok, false);
    });
  }

  test(`${backend}: gradients, and a kernel that is not known, are refused with the reason`, { skip }, async () => {
    const request = requestOf('dense.naive', backend);
    const backward = await shared.prepare({ ...request, outputGradient: new Float32Array(inputs.query.length) });
    assert.deepEqual(backward, { unsupported: `${packageName} only computes forward passes` });
    const unknown = await shared.prepare({ ...request, kernel: 'none' });
    assert.deepEqual(unknown, { unsupported: 'the onnx adapter has no kernel dense.none' });
  });

  test(`without ${packageName} the worker says which Python lacks what, of every backend`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'attnswap-graphs-'));
    writeFileSync(join(folder, `${packageName}.py`), 'print("a stray line")\nraise OSError("libtbb.so.12: no such file")\n');
    writeFileSync(join(folder, 'numpy.py'), '');
    const input = '{"id": 1, "ask": "hello"}\n{"id": 2, "ask": "dance"}\n';
    const env = { ...process.env, PYTHONPATH: folder };
    const { stdout, error } = spawnSync(graphPython(), ['-B', workerFolder, packageName], { input, encoding: 'utf8', env });
    if (error !== undefined) return;
    const [hello = '', dance = ''] = stdout.split('\n');
    assert.match(dance, /"error": "no such question: 'dance'"/);
    const told = helloSchema.parse(JSON.parse(hello));
    assert.deepEqual(
      told.backends.map(({ name }) => name),
      adapter.backends,
    );
    for (const status of told.backends) {
      assert.ok(!status.available);
      assert.match(status.reason, new RegExp(`cannot import ${packageName}: OSError: libtbb`));
      assert.match(status.mend, /pip install .*ATTNSWAP_ONNX_PYTHON/);
    }
  });
}

const withoutOpenvino = await skipWithout(openvino, 'openvino-cpu');
const withoutOrt = await skipWithout(ortPython, 'ort-cpu');

test('what OpenVINO compiled, for which device and in which precision, is told', { skip: withoutOpenvino }, async () => {
  const prepared = await openvino.prepare(requestOf('dense.sdpa', 'openvino-cpu'));
  assert.ok(!('unsupported' in prepared));
  await prepared.run();
  const { operators, flags } = await prepared.dispatch();
  await prepared.dispose();
  // Where shapes suit, OpenVINO's compiler writes code for the operator itself: a Subgraph.
  assert.match(flags[0]!, /^compiled for CPU \(.+\), computing in f32$/);
  assert.ok(operators.every(({ provider }) => provider.startsWith('CPU ')));
  assert.ok(
    operators.some(({ operator }) => /^(ScaledDotProductAttention|Subgraph)$/.test(operator)),
    JSON.stringify(operators),
  );
});

test(
  'in f16 OpenVINO is right and says what ran in f32 instead; kernels that need f32 in parts are refused',
  { skip: withoutOpenvino },
  async (context) => {
    const status = await openvino.status('openvino-cpu');
    if (!status.available || !status.dtypes.includes('f16')) return context.skip('the processor has no f16');
    const half = { ...drawGaussian(shape, 8), shape: { ...shape, dtype: 'f16' as const } };
    for (const values of [half.query, half.key, half.value]) roundToDType(values, 'f16');
    const prepared = await openvino.prepare({ ...requestOf('window.tiled:w=16', 'openvino-cpu'), inputs: half });
    assert.ok(!('unsupported' in prepared));
    await prepared.run();
    const { parameters } = parseVariant('window:w=16');
    const judged = judgeOutput(await prepared.output(), half, findVariant('window'), parameters, { rows: 'all', exactLogits: false });
    assert.equal(judged.reason, undefined);
    const { flags } = await prepared.dispatch();
    await prepared.dispose();
    assert.match(flags.join('; '), /computing in f16; (no operator computed in f32 instead of f16|computed in f32 all the same: )/);
    const refused = await openvino.prepare({ ...requestOf('topk.tiled:k=8', 'openvino-cpu'), inputs: half });
    assert.ok('unsupported' in refused);
    assert.match(refused.unsupported, /one precision for a whole model, and topk needs f32 in parts of its graph/);
  },
);

test('what ONNX Runtime ran, and on which provider, is told', { skip: withoutOrt }, async () => {
  const prepared = await ortPython.prepare(requestOf('dense.naive', 'ort-cpu'));
  assert.ok(!('unsupported' in prepared));
  await prepared.run();
  const { operators, flags } = await prepared.dispatch();
  await prepared.dispose();
  assert.ok(operators.some(({ operator, calls }) => operator === 'Softmax' && calls === 1));
  assert.ok(operators.every(({ provider }) => provider === 'CPUExecutionProvider'));
  assert.deepEqual(flags, []);
});

test('an operator that OpenVINO lacks is refused by its name', { skip: withoutOpenvino }, async () => {
  const refused = await openvino.prepare(requestOf('linear.fused', 'openvino-cpu'));
  assert.ok('unsupported' in refused);
  assert.match(refused.unsupported, /does not take the ONNX model: .*LinearAttention/);
});

test('a provider without its plug-in, and a device that is not there, are unavailable with what mends them', async (context) => {
  if (withoutOrt === false) {
    const status = await ortPython.status('ort-qnn');
    assert.ok(!status.available);
    assert.match(status.reason, /has no QNNExecutionProvider, and its plug-in is not installed/);
    assert.match(status.mend, /pip install onnxruntime-qnn/);
  }
  if (withoutOpenvino !== false) return context.skip(withoutOpenvino);
  const status = await openvino.status('openvino-npu');
  if (status.available) return context.skip('there is an NPU');
  assert.match(status.reason, /finds no NPU, only CPU/);
  assert.match(status.mend, /linux-npu-driver/);
});

test(
  'up to the device an NPU is served: f16 alone, fixed shapes alone, and its loss fails the call',
  { skip: withoutOpenvino },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'attnswap-npu-'));
    writeFileSync(join(folder, 'sitecustomize.py'), openvinoStandIn('NPU', { callsUntilLost: 3 }));
    process.env['PYTHONPATH'] = folder;
    try {
      const half = { ...drawGaussian(shape, 8), shape: { ...shape, dtype: 'f16' as const } };
      for (const values of [half.query, half.key, half.value]) roundToDType(values, 'f16');
      const request = (text: string) => ({ ...requestOf(text, 'openvino-npu'), inputs: half });
      const single = await openvino.prepare({ ...request('dense.sdpa'), inputs });
      assert.deepEqual(single, { unsupported: 'openvino-npu has no f32 kernels, only f16' });
      const tiled = await openvino.prepare(request('dense.tiled'));
      assert.ok('unsupported' in tiled);
      assert.match(tiled.unsupported, /^an NPU runs fixed shapes only, and these operators have none: .*Slice/);
      const prepared = await openvino.prepare(request('dense.sdpa'));
      assert.ok(!('unsupported' in prepared));
      await prepared.run();
      const judged = judgeOutput(await prepared.output(), half, findVariant('dense'), {}, { rows: 'all', exactLogits: false });
      assert.equal(judged.reason, undefined);
      await prepared.run();
      await assert.rejects(prepared.run(), /failed to sample: RuntimeError: L0 .*DEVICE_LOST/);
      await prepared.dispose();
    } finally {
      delete process.env['PYTHONPATH'];
    }
  },
);
