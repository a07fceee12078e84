import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { createInputs } from '../inputs/create-inputs.ts';
import { keptVariable, madeOnce } from './kept.ts';

const folder = mkdtempSync(join(tmpdir(), 'kept-'));
after(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  process.env[keptVariable] = folder;
});

/** Makes a value as a worker that was handed the folder does, and counts how often. */
function making<Value>(make: () => Value | Promise<Value>) {
  let made = 0;
  const counted = () => {
    made++;
    return make();
  };
  return { made: () => made, once: (of: object = { what: 'value' }) => madeOnce(of, counted) };
}

const value = () => ({
  numbers: [Float32Array.of(1, NaN, -0), { deep: Float64Array.of(0.1, Infinity) }],
  bytes: new Uint8Array(0),
  kind: 'Float32Array',
  length: 3.5,
  no: null,
});

test('a value is made once for each request, and read back bit for bit, each array in memory of its own', async () => {
  const { made, once } = making(value);
  const first = await once();
  const read = await once();
  assert.equal(made(), 1);
  assert.deepEqual(read, first);
  const [single, { deep }] = read.numbers as [Float32Array, { deep: Float64Array }];
  for (const array of [single, deep]) assert.deepEqual([array.byteOffset, array.buffer.byteLength], [0, array.byteLength]);
  await once({ what: 'another' });
  assert.equal(made(), 2);
});

test('inputs are drawn once, and the gate beside them as if all had been drawn together', async () => {
  const shape = { batch: 1, heads: 2, kvHeads: 1, queries: 7, keys: 7, headDim: 8, causal: true, dtype: 'f32' as const };
  for (const kind of ['calibrated', 'gaussian']) {
    const request = { kind, shape, seed: 1, wantsGate: true, gateRank: 2 };
    const drawn = await createInputs(request);
    const files = readdirSync(folder);
    assert.deepEqual(await createInputs(request), drawn);
    await createInputs({ ...request, wantsGate: false });
    assert.deepEqual(readdirSync(folder), files);
    delete process.env[keptVariable];
    assert.deepEqual(await createInputs(request), drawn);
    process.env[keptVariable] = folder;
  }
});

test('what a file cannot hold, or a damaged one, is made again', async () => {
  const infinite = making(() => ({ much: Infinity }));
  await infinite.once();
  assert.deepEqual(await infinite.once(), { much: Infinity });
  assert.equal(infinite.made(), 2);
  const { made, once } = making(value);
  const whole = await once({ damaged: true });
  const path = readdirSync(folder)
    .map((name) => join(folder, name))
    .find((file) => readFileSync(file).includes('deep'))!;
  const bytes = readFileSync(path);
  for (const damage of [
    () => truncateSync(path, bytes.length - 1),
    () => truncateSync(path, 2),
    () => writeFileSync(path, '\u0003\0\0\0{no'),
  ]) {
    damage();
    assert.deepEqual(await once({ damaged: true }), whole);
  }
  assert.equal(made(), 4);
});

test('a folder that takes no files, or is gone, costs nothing but time', async () => {
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  const { made, once } = making(value);
  for (const place of [file, join(folder, 'gone')]) {
    process.env[keptVariable] = place;
    assert.deepEqual(await once(), value());
  }
  assert.equal(made(), 2);
  assert.deepEqual(readdirSync(folder), ['a-file']);
});
