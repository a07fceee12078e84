import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inMemory, runner } from '../../../tests/subjects.ts';
import type { AttnswapError } from '../../contract/errors.ts';
import { GraphBuilder } from '../graph/graph-builder.ts';
import type { Value } from '../graph/graph-builder.ts';
import { findSites } from './find-sites.ts';
import type { Domain } from './input-domains.ts';
import { distinctCases } from './probe-cases.ts';
import { probeInputs, sizesOfInputs } from './probe-inputs.ts';

const width = 8;
const weights = (count: number) => Float32Array.from({ length: count }, (_, at) => Math.sin(at));

/** Attention with one head on `[batch, tokens, width]`. */
function attend(g: GraphBuilder, tokens: Value): Uint8Array {
  const projected = ['q', 'k', 'v'].map((name) => g.op('MatMul', [tokens, g.initializer(name, weights(width * width), [width, width])]));
  const [query, key, value] = projected.map((each) => g.op('Unsqueeze', [each, g.int([1])]));
  const logits = g.op('MatMul', [query!, g.op('Transpose', [key!], { perm: [0, 1, 3, 2] })]);
  const output = g.op('MatMul', [g.op('Softmax', [logits], { axis: -1 }), value!]);
  return g.model([{ name: 'y', value: output, type: 'f32' }]);
}

/** An image model whose exporter left everything dynamic, and that takes one size of image all the same. */
function image(): Uint8Array {
  const g = new GraphBuilder();
  const pixels = g.input('pixels', 'f32', ['batch', 'channels', 'height', 'width']);
  const patches = g.op('Conv', [pixels, g.initializer('patch', weights(width * 3 * 16), [width, 3, 4, 4])], { strides: [4, 4] });
  const tokens = g.op('Transpose', [g.op('Reshape', [patches, g.int([0, 0, -1])])], { perm: [0, 2, 1] });
  const first = g.op('Expand', [
    g.initializer('first', weights(width), [1, 1, width]),
    g.op('Concat', [g.sizes(pixels, 0, 1), g.int([1, width])], { axis: 0 }),
  ]);
  const all = g.op('Concat', [first, tokens], { axis: 1 });
  return attend(g, g.op('Add', [all, g.initializer('positions', weights(37 * width), [1, 37, width])]));
}

/** Attention over tokens of 320 samples of sound each, of one recording at a time. */
function sound(): Uint8Array {
  const g = new GraphBuilder();
  const samples = g.op('Unsqueeze', [g.input('samples', 'f32', ['batch', 'sequence']), g.int([1])]);
  const frames = g.op('Conv', [samples, g.initializer('frame', weights(width * 400), [width, 1, 400])], { strides: [320] });
  const tokens = g.op('Transpose', [frames], { perm: [0, 2, 1] });
  return attend(g, g.op('Reshape', [tokens, g.op('Concat', [g.int([1]), g.sizes(tokens, 1, 3)], { axis: 0 })]));
}

/** Ids of a tiny vocabulary, one above which ends the run. */
function ids(): Uint8Array {
  const g = new GraphBuilder();
  const shifted = g.op('Add', [g.input('roles', 'i64', ['batch', 'sequence']), g.int(1)]);
  return attend(g, g.op('Gather', [g.initializer('table', weights(4 * width), [4, width]), shifted]));
}

async function firstSizes(model: Uint8Array, inputs: ReadonlyArray<{ name: string; dims: readonly string[] }>): Promise<number[][]> {
  const { scopes, sites } = await findSites(inMemory('model.onnx', model), runner);
  assert.equal(sites.length, 1);
  return sizesOfInputs(
    inputs.map((input) => ({ ...input, type: 'float32' })),
    scopes[0]!.probe,
    {},
  );
}

describe('the first run', () => {
  test('takes channels of the convolution and the image that its positions are for', async () => {
    const sizes = await firstSizes(image(), [{ name: 'pixels', dims: ['batch', 'channels', 'height', 'width'] }]);
    assert.deepEqual(sizes, [[2, 3, 24, 24]]);
  });

  test('takes as many samples as give some tokens, and the batch of one that a shape fixes', async () => {
    const [[batch, samples] = []] = await firstSizes(sound(), [{ name: 'samples', dims: ['batch', 'sequence'] }]);
    assert.deepEqual([batch, samples], [1, 4096]);
  });

  test('draws ids below the rows of their table, less what is added to them', async () => {
    const { scopes } = await findSites(inMemory('model.onnx', ids()), runner);
    assert.deepEqual(scopes[0]?.probe.tables, { roles: 3 });
  });

  test('takes real inputs where random ones do not do, at sizes of its own', async () => {
    const g = new GraphBuilder();
    // Only multiples of 50 have a row: no table's size says so.
    const rows = g.op('Gather', [
      g.initializer('table', weights(100 * width), [100, width]),
      g.input('codes', 'i64', ['batch', 'sequence']),
    ]);
    const past = g.op('Mul', [g.op('Mod', ['codes', g.int(50)]), g.int(1000)]);
    const model = attend(g, g.op('Add', [rows, g.op('Gather', [g.initializer('zeros', new Float32Array(width), [1, width]), past])]));
    const realInputs = () => Promise.resolve({ codes: { type: 'int64', dims: [1, 3], data: BigInt64Array.of(50n, 0n, 50n) } } as const);
    await assert.rejects(findSites(inMemory('model.onnx', model), runner), /Gather/);
    const { scopes, sites } = await findSites(inMemory('model.onnx', model), runner, {}, { realInputs });
    assert.deepEqual([sites[0]?.swappable, sites[0]?.dynamic], [true, ['batch', 'queries', 'keys']]);
    const { codes } = probeInputs([{ name: 'codes', type: 'int64', dims: ['batch', 'sequence'] }], scopes[0]!.probe, {});
    assert.deepEqual([...codes!.data].slice(0, 7), [50n, 0n, 50n, 50n, 0n, 50n, 50n]);
  });

  test('tells the first failure and the dimensions to give', async () => {
    const g = new GraphBuilder();
    const [left, right] = [g.input('left', 'f32', ['batch', 'rows', width]), g.input('right', 'f32', [3, 5, width])];
    const picked = g.op('ScatterND', [left, g.op('NonZero', [right]), g.op('ReduceSum', [right], { keepdims: 0 })]);
    await assert.rejects(findSites(inMemory('model.onnx', attend(g, picked)), runner), (error: AttnswapError) => {
      assert.match(error.message, /ScatterND/);
      assert.match(error.hint!, /batch \(axis 0 of left\), rows \(axis 1 of left\)/);
      return true;
    });
  });
});

test('lengths reach beyond the tokens only where they count stored keys', () => {
  const inputs = [
    { name: 'length', type: 'int64', dims: ['batch'] },
    { name: 'x', type: 'float32', dims: ['batch', 'sequence', width] },
  ] as const;
  const isBeyond = (length: Domain) => {
    const first = { batch: 2, length: 8, past: 0, style: 'plain', seed: 1, vocabulary: 10, domains: { length } } as const;
    const cases = [...distinctCases(inputs, first, {}), { ...first, style: 'blocks' as const }];
    return cases.some((at) => probeInputs(inputs, at, {})['length']!.data.some((count: number | bigint) => count > at.length));
  };
  assert.deepEqual([isBeyond({ kind: 'counts' }), isBeyond({ kind: 'counts', stored: true })], [false, true]);
});
