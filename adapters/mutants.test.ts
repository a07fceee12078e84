import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AttributeProto_AttributeType as AttributeType, AttributeProtoSchema, ModelProtoSchema } from 'onnx-buf';
import type { NodeProto } from 'onnx-buf';
import * as ort from '../src/processes/onnxruntime.ts';
import type { KernelRequest } from '../src/contract/adapter.ts';
import type { AttentionInputs } from '../src/contract/inputs.ts';
import { drawGaussian } from '../src/inputs/gaussian.ts';
import { findVariant, parseVariant } from '../src/variants/index.ts';
import { judgeOutput } from '../src/variants/judge.ts';
import { feedsOf } from './onnx/call.ts';
import { kernelModel } from './onnx/kernel-graph.ts';
import { configOf } from './onnx/kernel-of.ts';
import { kernels } from './onnx/kernels/index.ts';

// Kernels with one seeded fault each. The check that passes the true kernel must catch every one.
const shape = { batch: 1, heads: 4, kvHeads: 4, queries: 100, keys: 100, headDim: 8, causal: true, dtype: 'f32' as const };

interface Mutant {
  readonly text: string;
  /** Changes what the kernel is built from, or its graph; the judge sees the truth. */
  readonly request?: (request: KernelRequest) => KernelRequest;
  readonly node?: (node: NodeProto) => void;
  readonly inputs?: AttentionInputs;
  readonly exactLogits?: boolean;
}

async function judge({ text, request, node, inputs = drawGaussian(shape, 7), exactLogits = false }: Mutant) {
  const spec = parseVariant(text);
  const kernel = kernels.find((each) => each.variant === spec.variant && (spec.kernel ?? each.kernel) === each.kernel)!;
  const truth: KernelRequest = {
    backend: 'onnx-cpu',
    variant: spec.variant,
    parameters: spec.parameters,
    kernel: kernel.kernel,
    inputs,
    purpose: 'latency',
  };
  const given = request?.(truth) ?? truth;
  const model = fromBinary(ModelProtoSchema, kernelModel(kernel, configOf(given)));
  if (node !== undefined) model.graph!.node.forEach(node);
  const session = await ort.InferenceSession.create(toBinary(ModelProtoSchema, model), { logSeverityLevel: 3 });
  const { output } = await session.run(feedsOf(given));
  await session.release();
  return judgeOutput(output!.data as Float32Array, inputs, findVariant(spec.variant), spec.parameters, { rows: 'all', exactLogits });
}

/** Small whole numbers and repeated keys: logits are exact in f32, and ties are many. */
function tiedInputs(): AttentionInputs {
  const inputs = drawGaussian(shape, 3);
  const { headDim } = shape;
  const whole = (values: Float32Array) => values.map((value) => Math.max(-2, Math.min(2, Math.round(value))));
  const key = whole(inputs.key).map((_, index, all) => all[index - (index % (headDim * 2)) + (index % headDim)]!);
  return { ...inputs, query: whole(inputs.query), key, scale: 0.25 };
}

/** The tensor's rows along the keys' axis in reverse: a tie then goes to the higher key. */
function reversed(values: Float32Array): Float32Array {
  const { heads, keys, headDim } = shape;
  return values.map((_, index) => {
    const head = Math.floor(index / (keys * headDim));
    const row = Math.floor(index / headDim) % keys;
    return values[(Math.min(head, heads - 1) * keys + (keys - 1 - row)) * headDim + (index % headDim)]!;
  });
}

const padded: AttentionInputs = {
  ...drawGaussian(shape, 13),
  mask: Uint8Array.from({ length: shape.keys }, (_, key) => (key % 3 === 1 ? 0 : 1)),
};

/** Keys that padding removes are zeros instead, which change nothing but the count of keys. */
function zeroedKeys({ mask, ...inputs }: AttentionInputs): AttentionInputs {
  const key = inputs.key.map((value, index) => value * mask![Math.floor(index / shape.headDim) % shape.keys]!);
  return { ...inputs, key };
}

/** A grid of 10 x 10, w=5, in which no window reaches further than two places: a bias hides what those at the edges see beyond. */
function withShrunkenWindows(given: KernelRequest): KernelRequest {
  const isNear = (a: number, b: number) => Math.abs(a - b) <= 2;
  const values = Float32Array.from({ length: shape.queries * shape.keys }, (_, pair) => {
    const [query, key] = [Math.floor(pair / shape.keys), pair % shape.keys];
    return isNear(Math.floor(query / 10), Math.floor(key / 10)) && isNear(query % 10, key % 10) ? 0 : -1e30;
  });
  return { ...given, inputs: { ...given.inputs, bias: { dims: [1, 1, shape.queries, shape.keys], values } } };
}

const mutants: Record<string, Mutant> = {
  'window off by one': { text: 'window:w=16', request: (given) => ({ ...given, parameters: { ...given.parameters, w: 17 } }) },
  'window one short': { text: 'window:w=16', request: (given) => ({ ...given, parameters: { ...given.parameters, w: 15 } }) },
  'a window over a grid one short along one axis': {
    text: 'grid-window:grid=10x10,w=5',
    request: (given) => ({ ...given, parameters: { ...given.parameters, w: '5x4' } }),
  },
  'a window that shrinks at the edges of its grid': { text: 'grid-window:grid=10x10,w=5', request: withShrunkenWindows },
  'missing scale': { text: 'dense.tiled', request: (given) => ({ ...given, inputs: { ...given.inputs, scale: 1 } }) },
  'leaked future': {
    text: 'topk:k=8',
    request: (given) => ({ ...given, inputs: { ...given.inputs, shape: { ...shape, causal: false } } }),
  },
  'dropped + ln(tokens)': {
    text: 'hierarchical:local=4,region=16,ratio=1:1:1',
    node: (node) => {
      if (node.opType !== 'Log') return;
      node.opType = 'Sub';
      node.input.push(node.input[0]!);
    },
  },
  'one key too few': { text: 'topk:k=8', request: (given) => ({ ...given, parameters: { k: 7 } }) },
  'a decay a hundredth off': {
    text: 'linear:rule=gated,decay=0.9',
    request: (given) => ({ ...given, parameters: { rule: 'gated', decay: 0.909 } }),
  },
  'writes that replace a little less': {
    text: 'linear:rule=delta',
    request: (given) => ({ ...given, parameters: { rule: 'delta', beta: 0.99 } }),
  },
  'padded keys that decay the state': {
    text: 'linear:rule=gated-delta',
    inputs: padded,
    request: (given) => ({ ...given, inputs: zeroedKeys(given.inputs) }),
  },
  'no division by the sum of the weights': {
    text: 'linear',
    request: (given) => ({ ...given, parameters: { rule: 'linear', norm: 'none' } }),
  },
  'keys of later chunks': {
    text: 'linear.chunked:rule=gated',
    request: (given) => ({ ...given, inputs: { ...given.inputs, shape: { ...shape, causal: false } } }),
  },
  'chunks from the last to the first': {
    text: 'linear.chunked',
    node: (node) => {
      if (node.opType !== 'Scan') return;
      for (const name of ['scan_input_directions', 'scan_output_directions']) {
        const count = name === 'scan_output_directions' ? 1 : node.input.length - 1;
        const ints = Array.from({ length: count }, () => 1n);
        node.attribute.push(create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints }));
      }
    },
  },
  'half of a chunk without the other half’s writes': {
    text: 'linear.chunked:rule=delta',
    node: (node) => {
      if (node.opType === 'Concat' && node.input.length === 2 && node.input[0]!.startsWith('MatMul') && node.input[1]!.startsWith('Slice'))
        node.input[0] = node.input[1]!;
    },
  },
  'one block too few': { text: 'block-topk:block=8,blocks=4', request: (given) => ({ ...given, parameters: { block: 8, blocks: 3 } }) },
};

for (const [name, mutant] of Object.entries(mutants)) {
  test(`the check passes ${mutant.text} and catches it with: ${name}`, async () => {
    const { request: _request, node: _node, ...truth } = mutant;
    assert.equal((await judge(truth)).reason, undefined);
    assert.equal((await judge(mutant)).ok, false);
  });
}

test('the check passes topk on tied keys and catches ties that go to the higher key', async () => {
  const inputs = { ...tiedInputs(), shape: { ...shape, causal: false } };
  const text = 'topk:k=5';
  assert.equal((await judge({ text, inputs, exactLogits: true })).reason, undefined);
  const request = (given: KernelRequest) => ({
    ...given,
    inputs: { ...given.inputs, key: reversed(inputs.key), value: reversed(inputs.value) },
  });
  assert.equal((await judge({ text, inputs, exactLogits: true, request })).ok, false);
});

test('the check catches one leaked key in one of 400 rows', async () => {
  const inputs = drawGaussian(shape, 11);
  const spec = parseVariant('dense.tiled');
  const kernel = kernels.find((known) => known.kernel === 'tiled')!;
  const request: KernelRequest = { backend: 'onnx-cpu', variant: 'dense', parameters: {}, kernel: 'tiled', inputs, purpose: 'latency' };
  const session = await ort.InferenceSession.create(kernelModel(kernel, configOf(request)), { logSeverityLevel: 3 });
  const { output } = await session.run(feedsOf(request));
  await session.release();
  const values = (output!.data as Float32Array).slice();
  const at = (2 * shape.queries + 50) * shape.headDim;
  for (let m = 0; m < shape.headDim; m++) values[at + m]! += 0.001 * inputs.value[(2 * shape.keys + 51) * shape.headDim + m]!;
  const judgement = judgeOutput(values, inputs, findVariant('dense'), spec.parameters, { rows: 'all' });
  assert.equal(judgement.ok, false);
  assert.deepEqual([judgement.worst.head, judgement.worst.query], [2, 50]);
});

test('the check refuses NaN, a wrong length, and the output of other inputs', () => {
  const inputs = drawGaussian(shape, 5);
  const elements = shape.heads * shape.queries * shape.headDim;
  const dense = findVariant('dense');
  assert.equal(judgeOutput(new Float32Array(elements).fill(NaN), inputs, dense, {}, { rows: 'all' }).ok, false);
  assert.equal(judgeOutput(new Float32Array(elements - 1), inputs, dense, {}, { rows: 'all' }).ok, false);
  assert.equal(judgeOutput(new Float32Array(elements), inputs, dense, {}, { rows: 'all' }).ok, false);
});

test('a call that was not awaited has no output to check', async () => {
  const { adapter } = await import('./onnx/adapter.ts');
  const prepared = await adapter.prepare({
    backend: 'onnx-cpu',
    variant: 'dense',
    parameters: {},
    kernel: 'fused',
    inputs: drawGaussian(shape, 5),
    purpose: 'latency',
  });
  assert.ok(!('unsupported' in prepared));
  await prepared.run();
  const unawaited = prepared.run();
  await assert.rejects(prepared.output(), { code: 'WORKER_FAILED' });
  await unawaited;
  await prepared.dispose();
});
