import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { adapter as onnx } from '../adapters/onnx/with-graphs.ts';
import { kernelModel } from '../adapters/onnx/kernel-graph.ts';
import { configOf, kernelOf } from '../adapters/onnx/kernel-of.ts';
import { adapter as openvino } from '../adapters/openvino/adapter.ts';
import { adapter as ortPython } from '../adapters/ort-python/adapter.ts';
import type { Adapter, KernelRequest, OpenModel } from '../src/contract/adapter.ts';
import type { Tensors } from '../src/contract/tensor.ts';
import { drawGaussian } from '../src/inputs/gaussian.ts';
import { drawModelInputs } from '../src/inputs/model-inputs.ts';
import { migrate } from '../src/operations/migrate.ts';
import type { MigrateOptions } from '../src/operations/migrate-options.ts';
import { swap } from '../src/operations/swap.ts';
import { readReport } from '../src/report/read-report.ts';
import { parseVariant } from '../src/variants/index.ts';
import { torchScript } from './models/exporters.ts';
import { GraphWriter } from './models/graph-writer.ts';
import * as decoder from './models/gqa-decoder.ts';
import * as qdq from './models/qdq.ts';
import * as bert from './models/torchscript-bert.ts';
import { openvinoStandIn, skipWithout } from './onnx-python-installed.ts';
import { emptyFolder } from './run-cli.ts';

// Whole models in the workers of OpenVINO and PyPI's ONNX Runtime, against onnx-cpu.
const cwd = emptyFolder();
const path = join(cwd, 'model.onnx');
writeFileSync(path, bert.build({ seed: 1 }));
const data = join(cwd, 'mine.data.mjs');
writeFileSync(
  data,
  `export async function items({ lengths, itemsPerLength }) {
  return lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, index) => ({ id: length + '-' + index, length, feeds: {
    input_ids: { type: 'int64', dims: [1, length], data: BigInt64Array.from({ length }, (_, at) => BigInt((7 * at + index) % 90)) },
    attention_mask: { type: 'int64', dims: [1, length], data: new BigInt64Array(length).fill(1n) },
  } })));
}
`,
);
const migration = (backend: string, dir: string): MigrateOptions => ({
  ...{ model: path, backend, data: [data], lengths: [16], items: 1, candidates: ['dense.tiled'], until: 'baseline', dir: join(cwd, dir) },
});

async function opened(adapter: Adapter, backend: string, model: string | Uint8Array = path): Promise<OpenModel> {
  const found = await adapter.openModel!({ backend, model, threads: 1 });
  assert.ok(!('unsupported' in found), 'unsupported' in found ? found.unsupported : '');
  return found;
}

async function outputsOf(model: OpenModel, feeds: Tensors): Promise<Tensors> {
  const bound = model.bind(feeds);
  await bound.run();
  return bound.outputs();
}

/** The largest difference of two models' outputs, relative to the largest value. */
function difference(one: Tensors, other: Tensors): number {
  assert.deepEqual(Object.keys(one), Object.keys(other));
  const faults = Object.entries(one).map(([name, tensor]) => {
    assert.deepEqual([tensor.type, tensor.dims], [other[name]!.type, other[name]!.dims]);
    const [a, b] = [[...tensor.data].map(Number), [...other[name]!.data].map(Number)];
    return Math.max(...a.map((value, at) => Math.abs(value - b[at]!))) / Math.max(...a.map(Math.abs));
  });
  return Math.max(...faults);
}

const backends = [
  { adapter: openvino, backend: 'openvino-cpu', ran: /^CPU /, flag: /^compiled for CPU \(.+\), computing in f32$/ },
  { adapter: ortPython, backend: 'ort-cpu', ran: /^CPUExecutionProvider$/, flag: /^$/ },
] as const;

for (const { adapter, backend, ran, flag } of backends) {
  const skip = await skipWithout(adapter, backend);

  test(`${backend} gives what onnx-cpu gives, at one length after another, under the file's own names`, { skip }, async () => {
    const [truth, model] = [await opened(onnx, 'onnx-cpu'), await opened(adapter, backend)];
    try {
      assert.deepEqual(model.inputs, truth.inputs);
      assert.deepEqual(model.outputs, truth.outputs);
      assert.notEqual(model.pid, undefined);
      for (const sequence of [16, 9, 16]) {
        const feeds = drawModelInputs(model.inputs, { batch: 2, sequence }, sequence);
        assert.ok(difference(await outputsOf(truth, feeds), await outputsOf(model, feeds)) < 1e-5);
      }
      await assert.rejects(
        outputsOf(model, { input_ids: bert.feeds({ batch: 1, length: 4, seed: 1 })['input_ids']! }),
        /expected the inputs/,
      );
    } finally {
      await Promise.all([truth.dispose(), model.dispose()]);
    }
  });

  test(`${backend} opens a model with many inputs, and one with none`, { skip }, async () => {
    for (const count of [101, 0]) {
      const g = new GraphWriter(torchScript(14));
      const one = g.weight('one', [1], [1]);
      const inputs = Array.from({ length: count }, (_, at) => g.input(`x${at}`, 'f32', [1]));
      g.output('sum', g.op('Sum', [one, ...inputs]), 'f32', [1]);
      const model = await opened(adapter, backend, g.bytes());
      try {
        const { sum } = await outputsOf(model, drawModelInputs(model.inputs, { batch: 1, sequence: 1 }, 1));
        assert.equal(sum!.data.length, 1);
      } finally {
        await model.dispose();
      }
    }
  });

  test(`${backend}: an identity swap changes outputs by less than 1e-5`, { skip }, async () => {
    const { comparison, changes } = await swap({ model: path, backend, variants: ['dense.tiled'], out: join(cwd, `${backend}.onnx`) });
    assert.ok(changes.length > 0 && comparison.runs.length > 0);
    assert.ok(comparison.largest < 1e-5, `${comparison.largest}`);
  });

  test(`${backend}: a migration's record and report say what ran`, { skip }, async () => {
    const { baseline, folder } = await migrate(migration(backend, backend));
    const { operators, flags } = baseline.dispatch!;
    assert.ok(operators.length > 3 && operators.every(({ provider }) => ran.test(provider)), JSON.stringify(operators));
    assert.match(flags[0] ?? '', flag);
    assert.ok(baseline.lengths[0]!.medianNs > 0);
    const { report } = await readReport(folder);
    assert.ok(report.sections.some(({ id }) => id === 'dispatch'));
  });
}

/** Whether both backends give the same for the decoder behind an empty past. */
async function agreesOnPrompt(bytes: Uint8Array): Promise<boolean> {
  const both = await Promise.all([opened(onnx, 'onnx-cpu', bytes), opened(openvino, 'openvino-cpu', bytes)]);
  try {
    const [truth, model] = await Promise.all(both.map((each) => outputsOf(each, decoder.prompt(16))));
    const sizes = (outputs: Tensors) => Object.values(outputs).map(({ dims }) => dims.join());
    return sizes(truth!).join(' ') === sizes(model!).join(' ') && difference(truth!, model!) < 0.01;
  } finally {
    await Promise.all(both.map((each) => each.dispose()));
  }
}

const withoutOpenvino = await skipWithout(openvino, 'openvino-cpu');

test('tuning tries nothing that the backend lacks, whatever its kernel alone could do', { skip: withoutOpenvino }, async () => {
  const options = { ...migration('openvino-cpu', 'lacking'), until: 'tune' as const, maxBlocks: 2, evaluations: 1 };
  const { candidates, tuned } = await migrate({ ...options, candidates: ['dense.fused', 'dense.tiled'] });
  assert.deepEqual(
    candidates!.map(({ name, proof }) => [name, proof === null]),
    [
      ['dense.fused', true],
      ['dense.tiled', false],
    ],
  );
  assert.deepEqual(tuned!.choices, ['original', 'dense.tiled']);
});

test('a decoder that OpenVINO computes wrongly is refused before anything is measured or written', { skip: withoutOpenvino }, async () => {
  const bytes = decoder.build();
  const [model, dir] = [join(cwd, 'decoder.onnx'), join(cwd, 'decoder')];
  writeFileSync(model, bytes);
  const items = join(cwd, 'prompts.data.mjs');
  const tokens = `{ type: 'int64', dims: [1, length], data: BigInt64Array.from({ length }, (_, at) => BigInt((7 * at + index) % 60)) }`;
  const empty = `{ type: 'float32', dims: [1, ${decoder.size.kvHeads}, 0, ${decoder.size.headDim}], data: new Float32Array() }`;
  const pasts = Object.keys(decoder.prompt(1)).filter((name) => name.startsWith('past'));
  writeFileSync(
    items,
    `export const items = async ({ lengths, itemsPerLength }) => lengths.flatMap((length) => Array.from({ length: itemsPerLength }, (_, index) => ({ id: length + '-' + index, length, feeds: {
      input_ids: ${tokens}, attention_mask: { type: 'int64', dims: [1, length], data: new BigInt64Array(length).fill(1n) }, ${pasts.map((name) => `'${name}': ${empty}`).join(', ')}
    } })));\n`,
  );
  const out = join(cwd, 'decoder-tiled.onnx');
  const operations = [
    () => swap({ model, backend: 'openvino-cpu', variants: ['dense.tiled'], out }),
    () => migrate({ ...migration('openvino-cpu', 'decoder'), model, data: [items], dir }),
  ];
  if (await agreesOnPrompt(bytes)) {
    for (const operate of operations) await operate();
    return;
  }
  for (const operate of operations)
    await assert.rejects(operate, {
      code: 'UNSUPPORTED',
      message: /openvino-cpu does not compute what the model says .* with an empty past: output .* site 0 \(GroupQueryAttention/,
    });
  assert.equal(existsSync(out), false);
  assert.equal(existsSync(join(dir, 'record.json')), false);
});

/** A kernel as the model of a user. */
function kernelOnly(text: string): Uint8Array {
  const { variant, kernel, parameters } = parseVariant(text);
  const inputs = drawGaussian({ batch: 1, heads: 2, kvHeads: 2, queries: 8, keys: 8, headDim: 8, causal: true, dtype: 'f32' }, 1);
  const request: KernelRequest = { backend: 'onnx-cpu', variant, kernel: kernel!, parameters, inputs, purpose: 'latency' };
  const found = kernelOf(request, configOf(request));
  assert.ok(!('unsupported' in found));
  return kernelModel(found, configOf(request));
}

test('a model with an operator that OpenVINO lacks is refused by its name', { skip: withoutOpenvino }, async () => {
  const refused = await openvino.openModel!({ backend: 'openvino-cpu', model: kernelOnly('linear.fused') });
  assert.ok('unsupported' in refused);
  assert.match(refused.unsupported, /^OpenVINO .* does not take the ONNX model: .*LinearAttention/);
});

test(
  'without an NPU a migration to it is refused at once, with the reason and what mends it',
  { skip: withoutOpenvino },
  async (context) => {
    if ((await openvino.status('openvino-npu')).available) return context.skip('there is an NPU');
    await assert.rejects(migrate(migration('openvino-npu', 'none')), {
      code: 'UNSUPPORTED',
      message: /^openvino-npu: OpenVINO .* finds no NPU, only CPU$/,
      hint: /linux-npu-driver/,
    });
  },
);

/** Runs `work` with workers whose OpenVINO has an NPU, the CPU behind it. */
async function withNpu(options: Parameters<typeof openvinoStandIn>[1], work: (adapter: Adapter) => Promise<void>): Promise<void> {
  const folder = emptyFolder();
  writeFileSync(join(folder, 'sitecustomize.py'), openvinoStandIn('NPU', options));
  process.env['PYTHONPATH'] = folder;
  try {
    // Each adapter asks its worker once what there is: another one asks again.
    const { graphWorker } = await import('../adapters/onnx/python/graph-worker.ts');
    await work(graphWorker({ name: 'openvino', package: 'openvino', needs: { 'openvino-npu': 'an NPU' } }));
  } finally {
    delete process.env['PYTHONPATH'];
  }
}

test('up to the device, an NPU runs a whole model at fixed lengths in f16, and its loss is a failure', { skip: withoutOpenvino }, () =>
  withNpu({ callsUntilLost: 6 }, async (adapter) => {
    const model = await opened(adapter, 'openvino-npu');
    try {
      const feeds = drawModelInputs(model.inputs, { batch: 1, sequence: 16 }, 1);
      const bound = model.bind(feeds);
      await bound.run();
      const { flags } = await bound.dispatch!();
      assert.match(flags[0]!, /^compiled for NPU \(.+\), computing in f16$/);
      await bound.timeCalls!(2);
      await assert.rejects(bound.run(), /failed to sample: RuntimeError: L0 .*DEVICE_LOST/);
    } finally {
      await model.dispose();
    }
  }),
);

test('a statically quantized model runs its dense layers in int8, on the CPU and up to an NPU', { skip: withoutOpenvino }, async () => {
  const bytes = qdq.build({ seed: 1 });
  const truth = await opened(onnx, 'onnx-cpu', bytes);
  const feeds = drawModelInputs(truth.inputs, { batch: 1, sequence: 16 }, 1);
  const expected = await outputsOf(truth, feeds);
  await truth.dispose();
  const check = async (adapter: Adapter, backend: string) => {
    const model = await opened(adapter, backend, bytes);
    try {
      const bound = model.bind(feeds);
      await bound.run();
      // A value between two steps may be rounded to either.
      assert.ok(difference(expected, bound.outputs()) < 0.02);
      assert.match((await bound.dispatch!()).flags.join('; '), /ran in int8: FullyConnected/);
    } finally {
      await model.dispose();
    }
  };
  await check(openvino, 'openvino-cpu');
  await withNpu({}, (adapter) => check(adapter, 'openvino-npu'));
});

test('an NPU refuses a model whose shapes stay dynamic, and names the operators', { skip: withoutOpenvino }, () =>
  withNpu({}, async (adapter) => {
    const model = await opened(adapter, 'openvino-npu', kernelOnly('dense.tiled'));
    try {
      const feeds = drawModelInputs(model.inputs, { batch: 1, queries: 200, keys: 200 }, 1);
      await assert.rejects(outputsOf(model, feeds), {
        code: 'UNSUPPORTED',
        message: /^an NPU runs fixed shapes only, and these operators have none: .*Slice/,
      });
    } finally {
      await model.dispose();
    }
  }),
);
