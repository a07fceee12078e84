import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { AttnswapError } from '../contract/errors.ts';
import { writeSafetensors } from '../inputs/safetensors.ts';
import type { TensorToWrite } from '../inputs/safetensors.ts';
import { smallTestbed } from './fixtures/small-testbed.ts';
import { initialWeights, readWeights, writeWeights } from './initial-weights.ts';
import { parametersOf } from './testbed.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-weights-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const testbed = smallTestbed({ attention: ['dense', 'gated:rank=2'] });

test('the same seed gives the same weights, another seed others, and every parameter its own', () => {
  assert.deepEqual(initialWeights(testbed, 1), initialWeights(testbed, 1));
  assert.notDeepEqual(initialWeights(testbed, 1).get('head'), initialWeights(testbed, 2).get('head'));
  const drawn = [...initialWeights(testbed, 1)].filter(([name]) => /(query|key|value|gate\.[uw])$/.test(name));
  assert.equal(new Set(drawn.map(([, values]) => values.join())).size, drawn.length);
});

test('another attention leaves the weights of all else as they are', () => {
  const [gated, dense] = [testbed, smallTestbed()].map((each) => initialWeights(each, 1));
  for (const [name, values] of dense!) assert.deepEqual(gated!.get(name), values, name);
  assert.equal(gated!.size, dense!.size + 3);
});

test('weights have the deviation that the testbed asks for', () => {
  const weights = initialWeights(smallTestbed({ width: 128, hidden: 256 }), 1);
  for (const { name, initial } of parametersOf(smallTestbed({ width: 128, hidden: 256 }))) {
    const values = weights.get(name)!;
    if ('value' in initial) assert.ok(values.every((value) => value === initial.value));
    else {
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
      assert.ok(Math.abs(deviation / initial.deviation - 1) < 4 / Math.sqrt(2 * values.length), `${name}: ${deviation}`);
    }
  }
});

test('weights are read as they were written, in the order of the parameters', async () => {
  const path = join(folder, 'weights.safetensors');
  const weights = initialWeights(testbed, 1);
  await writeWeights(path, testbed, new Map([...weights].toReversed()));
  const read = await readWeights(path, testbed);
  assert.deepEqual([...read], [...weights]);
});

const refused = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof AttnswapError && error.code === code && message.test(error.message);

async function written(change: (tensors: Record<string, TensorToWrite>) => void): Promise<string> {
  const path = join(folder, 'changed.safetensors');
  const weights = initialWeights(testbed, 1);
  const tensors = Object.fromEntries(
    parametersOf(testbed).map(({ name, shape }): [string, TensorToWrite] => [name, { dtype: 'F32', shape, data: weights.get(name)! }]),
  );
  change(tensors);
  await writeSafetensors(path, tensors);
  return path;
}

test('files of another testbed, of another dtype and of a training that diverged are refused', async () => {
  const cases: readonly [(tensors: Record<string, TensorToWrite>) => void, RegExp][] = [
    [(tensors) => delete tensors['head'], /no tensor head, expected the testbed's \d+ parameters/],
    [(tensors) => (tensors['more'] = { dtype: 'F32', shape: [1], data: new Float32Array(1) }), /tensor "more" is not one of/],
    [(tensors) => (tensors['head'] = { ...tensors['head']!, shape: [11, 32] }), /head is F32 \[11, 32\], expected F32 \[32, 11\]/],
    [(tensors) => (tensors['head'] = { dtype: 'U8', shape: [32, 11], data: new Uint8Array(352) }), /head is U8 \[32, 11\], expected F32/],
    [(tensors) => (tensors['head'] = { ...tensors['head']!, data: new Float32Array(352).fill(NaN) }), /head holds NaN at element 0/],
  ];
  for (const [change, message] of cases)
    await assert.rejects(readWeights(await written(change), testbed), refused('INVALID_INPUTS', message));
});

test('what is no weights file is refused by its own code, and unfit weights are not written', async () => {
  const path = join(folder, 'text.safetensors');
  writeFileSync(path, 'no weights at all');
  await assert.rejects(readWeights(path, testbed), refused('INVALID_SAFETENSORS', /text\.safetensors/));
  await assert.rejects(readWeights(join(folder, 'none'), testbed), refused('FILE_UNREADABLE', /none/));
  const short = initialWeights(testbed, 1).set('head', new Float32Array(3));
  await assert.rejects(writeWeights(path, testbed, short), refused('INVALID_INPUTS', /head holds 3 elements, expected 352 for \[32, 11\]/));
});

test('first embeddings of tokens are sums of their parts: those that share one are alike, and of deviation 1', () => {
  const testbed = smallTestbed({ vocabulary: 6, width: 1024 });
  const partsOf = (token: number) => (token < 4 ? [`from ${token % 2}`, `to ${Math.floor(token / 2)}`] : [`to ${token - 4}`]);
  const embed = initialWeights(testbed, 1, { partsOf }).get('embed')!;
  const row = (token: number) => embed.subarray(token * 1024, (token + 1) * 1024);
  const dot = (a: number, b: number) => row(a).reduce((sum, value, at) => sum + value * row(b)[at]!, 0) / 1024;
  // Five deviations of what 1024 products of independent normal numbers sum up to.
  const near = (value: number, expected: number) => assert.ok(Math.abs(value - expected) < (5 * 1.5) / Math.sqrt(1024), `${value}`);
  for (let token = 0; token < 6; token++) near(dot(token, token), 1);
  near(dot(0, 1), 0.5);
  near(dot(0, 2), 0.5);
  near(dot(0, 3), 0);
  near(dot(0, 4), Math.SQRT1_2);
  near(dot(0, 5), 0);
  const plain = initialWeights(testbed, 1);
  for (const [name, values] of initialWeights(testbed, 1, { partsOf })) if (name !== 'embed') assert.deepEqual(values, plain.get(name));
});
