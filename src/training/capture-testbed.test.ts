import assert from 'node:assert/strict';
import test from 'node:test';
import { adapter } from '../../adapters/onnx/with-graphs.ts';
import type { AttentionInputs } from '../contract/inputs.ts';
import { captureTestbed } from './capture-testbed.ts';
import { drawTokens, smallTestbed, stirredWeights, translating } from './fixtures/small-testbed.ts';
import { referenceForward } from './reference-forward.ts';
import { positionEncodings } from './testbed.ts';
import type { Testbed } from './testbed.ts';

function relativeError(actual: Float32Array, expected: Float32Array): number {
  assert.equal(actual.length, expected.length);
  const square = (values: Iterable<number>) => [...values].reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(square(actual.map((value, at) => value - expected[at]!)) / square(expected));
}

/** Inputs of every attention, as the float64 testbed and as the exported model have them. */
async function inputsOf(testbed: Testbed) {
  const weights = stirredWeights(testbed);
  const batch = drawTokens(testbed, 2, 33);
  const expected: AttentionInputs[] = [];
  referenceForward(testbed, weights, batch, (inputs) => void expected.push(inputs));
  const model = await captureTestbed(testbed, weights, { adapter, backend: 'onnx-cpu' });
  const found = await model.capture(batch);
  await model.dispose();
  return { expected, found };
}

for (const attention of ['dense', 'topk:k=5', 'window:w=8,globals=1', 'gated:rank=2', 'block-topk:block=8,blocks=2'])
  test(`what the exported ${attention} reads, layer by layer, is what the float64 testbed reads`, async () => {
    for (const [index, position] of positionEncodings.entries()) {
      const normPlacement = index % 2 === 0 ? 'before' : 'after';
      const testbed = smallTestbed({ attention: [attention, attention, attention], position, normPlacement });
      const { expected, found } = await inputsOf(testbed);
      assert.equal(found.length, 3);
      for (const [layer, inputs] of found.entries()) {
        for (const part of ['query', 'key', 'value'] as const) {
          const error = relativeError(inputs[part], expected[layer]![part]);
          assert.ok(error < 2e-6, `${position}, layer ${layer}, ${part}: ${error}`);
        }
        const { query: _query, key: _key, value: _value, ...rest } = inputs;
        const { query, key, value, ...expectedRest } = expected[layer]!;
        assert.ok(query.length > 0 && key.length > 0 && value.length > 0);
        assert.deepEqual(rest, expectedRest);
      }
    }
  });

test('of shared layers every attention shows its own queries and keys, with the gate that they share', async () => {
  const testbed = smallTestbed({ attention: ['gated:rank=2', 'gated:rank=2'], sharedLayers: true });
  const { expected, found } = await inputsOf(testbed);
  assert.equal(found.length, 2);
  for (const [layer, { gate, ...inputs }] of found.entries()) {
    for (const part of ['query', 'key'] as const) assert.ok(relativeError(inputs[part], expected[layer]![part]) < 2e-6, `${layer} ${part}`);
    assert.ok(gate !== undefined);
    assert.deepEqual(gate, expected[layer]!.gate);
  }
});

test('of an encoder and its decoder every attention is shown, with queries and keys of their own lengths', async () => {
  const testbed = translating({
    encoder: { length: 40, attention: ['topk:k=5'], cross: ['window:w=8', 'gated:rank=2'] },
    position: 'rotary',
  });
  const { expected, found } = await inputsOf(testbed);
  assert.deepEqual(
    found.map(({ shape }) => [shape.queries, shape.keys, shape.causal]),
    [
      [40, 40, false],
      [33, 33, true],
      [33, 40, false],
      [33, 33, true],
      [33, 40, false],
    ],
  );
  for (const [at, { shape, gate, ...inputs }] of found.entries()) {
    for (const part of ['query', 'key', 'value'] as const)
      assert.ok(relativeError(inputs[part], expected[at]![part]) < 2e-6, `${at} ${part}`);
    assert.deepEqual([shape, gate], [expected[at]!.shape, expected[at]!.gate]);
  }
});

test('with exits every layer still shows what it reads', async () => {
  const testbed = smallTestbed();
  const batch = drawTokens(testbed, 1, 33);
  const captured = async (exits: Testbed['exits']) => {
    const model = await captureTestbed({ ...testbed, exits }, stirredWeights(testbed), { adapter, backend: 'onnx-cpu' });
    const inputs = await model.capture(batch);
    await model.dispose();
    return inputs;
  };
  assert.deepEqual(await captured([0.01]), await captured(undefined));
});

test('a later layer reads what the attention before it gave, not what dense attention would have given', async () => {
  const keysOf = async (attention: string) => {
    const testbed = smallTestbed({ attention: [attention, attention] });
    const model = await captureTestbed(testbed, stirredWeights(testbed), { adapter, backend: 'onnx-cpu' });
    const [first, second] = await model.capture(drawTokens(testbed, 1, 33));
    await model.dispose();
    return { first: first!.key, second: second!.key };
  };
  const [dense, window] = [await keysOf('dense'), await keysOf('window:w=4')];
  assert.deepEqual(window.first, dense.first);
  assert.ok(relativeError(window.second, dense.second) > 1e-2);
});
