import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { toBinary } from '@bufbuild/protobuf';
import { execa } from 'execa';
import * as node from '../src/processes/onnxruntime.ts';
import { ModelProtoSchema } from 'onnx-buf';
import * as web from 'onnxruntime-web';
import type { Tensors } from '../src/contract/tensor.ts';
import { parseReplacements } from '../src/migration/parse-replacements.ts';
import { swapSites } from '../src/model/swap/swap.ts';
import { models } from './models/index.ts';
import type { TestModelName } from './models/index.ts';
import { emptyFolder } from './run-cli.ts';
import { inMemory, recogniser, realSubject, runner, subjectOf } from './subjects.ts';
import type { Subject } from './subjects.ts';

// What others make of swapped files: the onnx package's checker, and ONNX Runtime as WebAssembly.

const variants = [
  'dense.naive',
  'dense.fused',
  'dense.tiled',
  'window:w=4',
  'block-topk:block=4,blocks=2',
  'topk:k=3',
  'hierarchical',
  'gated',
  'linear',
  'linear.chunked',
];
const folder = emptyFolder();

function swappedBytes({ sites }: Subject, variant: string): Uint8Array {
  const replacements = parseReplacements([variant], [...sites.swappable.keys()], runner.adapter);
  return toBinary(ModelProtoSchema, swapSites(sites, { adapter: runner.adapter, replacements, seed: 1 }));
}

const python = process.env['ATTNSWAP_PYTHON'] ?? 'python3';
const hasOnnx = (await execa(python, ['-c', 'import onnx'], { reject: false })).exitCode === 0;

describe('the onnx package’s full check', { skip: hasOnnx ? false : `${python} has no onnx; ATTNSWAP_PYTHON names one that has` }, () => {
  const checker = 'import onnx, sys\nfor path in sys.argv[1:]:\n  onnx.checker.check_model(path, full_check=True)\n  print(path)';
  const check = (paths: readonly string[]) => execa(python, ['-c', checker, ...paths], { reject: false });

  test('passes swapped models of every kind', async () => {
    // Its shape inference knows none of com.microsoft's operators: what it cannot know it leaves open.
    const names: readonly TestModelName[] = [
      'torchscript-bert',
      'torchscript-gpt2',
      'gqa-repeat',
      'dynamo',
      'paddle',
      'bmm-3d',
      'f16',
      'qdq',
    ];
    const paths: string[] = [];
    for (const name of names) {
      const subject = await subjectOf(inMemory(name, models[name].build()));
      for (const variant of variants) {
        const path = join(folder, `${name}-${paths.length}.onnx`);
        writeFileSync(path, swappedBytes(subject, variant));
        paths.push(path);
      }
    }
    const { exitCode, stdout, stderr } = await check(paths);
    assert.equal(exitCode, 0, stderr.slice(-2000));
    assert.equal(stdout.trim().split('\n').length, names.length * variants.length);
  });

  test('refuses a model whose node misses its input', async () => {
    const subject = await subjectOf(inMemory('bert', models['torchscript-bert'].build()));
    const { proto } = subject.sites;
    proto.graph!.node = proto.graph!.node.filter(({ opType }) => opType !== 'Relu');
    const path = join(folder, 'broken.onnx');
    writeFileSync(path, toBinary(ModelProtoSchema, proto));
    assert.notEqual((await check([path])).exitCode, 0);
  });
});

describe('ONNX Runtime as WebAssembly gives what onnxruntime-node does, within 1e-4', () => {
  // A file of the package, read here: nothing is fetched.
  before(() => {
    web.env.wasm.wasmBinary = readFileSync(new URL('./ort-wasm-simd-threaded.wasm', import.meta.resolve('onnxruntime-web')));
    web.env.wasm.numThreads = 1;
  });

  const outputs = async ({ InferenceSession, Tensor }: typeof node | typeof web, bytes: Uint8Array, feeds: Tensors) => {
    const session = await InferenceSession.create(bytes, {
      executionProviders: InferenceSession === web.InferenceSession ? ['wasm'] : ['cpu'],
    });
    const given = Object.entries(feeds).map(([name, { type, data, dims }]) => [
      name,
      new Tensor(type as 'float32', data as Float32Array, [...dims]),
    ]);
    const results = await session.run(Object.fromEntries(given) as never);
    await session.release();
    return Object.entries(results).map(([name, { data }]) => [name, Float32Array.from(data as Float32Array)] as const);
  };

  const agree = async (bytes: Uint8Array, feeds: Tensors, variant = ''): Promise<void> => {
    const expected = await outputs(node, bytes, feeds);
    const actual = new Map(await outputs(web, bytes, feeds));
    for (const [name, values] of expected) {
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const apart = values.reduce((most, value, at) => Math.max(most, Math.abs(value - actual.get(name)![at]!)), 0);
      assert.ok(values.length === actual.get(name)!.length && apart <= 1e-4 * largest, `${variant} ${name}: ${apart} of ${largest}`);
    }
  };

  // dense.fused is com.microsoft's MultiHeadAttention here, and GroupQueryAttention where causal and unpadded: both are in the wasm build.
  const swapped = ['dense.fused', 'dense.tiled', 'window:w=4', 'block-topk:block=4,blocks=2'];
  for (const name of ['torchscript-bert', 'cross-attention', 'gqa-repeat'] as const) {
    test(`${name}, with ${swapped.join(', ')}`, async () => {
      const subject = await subjectOf(inMemory(name, models[name].build()));
      const feeds = models[name].feeds({ batch: 2, length: 33, padded: true, seed: 1 });
      for (const variant of swapped) await agree(swappedBytes(subject, variant), feeds, variant);
    });
  }
  for (const variant of swapped) {
    test(`PP-OCRv4’s recogniser, ${variant}`, async () => {
      await agree(swappedBytes(await realSubject(recogniser), variant), recogniser.feeds({ batch: 1, length: 320, seed: 1 }));
    });
  }
});
