import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { AttnswapError } from '../contract/errors.ts';
import type { Shape } from '../contract/shape.ts';
import { readCapturedInputs, writeInputs, writeOutput } from './captured.ts';
import { createInputs } from './create-inputs.ts';
import { drawGate } from './gate.ts';
import { drawGaussian } from './gaussian.ts';
import { floatsOf, openSafetensors, writeSafetensors } from './safetensors.ts';
import type { TensorToWrite } from './safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-captured-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'captured.safetensors');

const shape: Shape = { batch: 2, heads: 4, kvHeads: 2, queries: 3, keys: 5, headDim: 8, causal: true, dtype: 'f32' };
const wanted = { causal: true, dtype: 'f32' } as const;

const refusedAs = (code: string, reason: RegExp) => (error: unknown) => {
  assert.ok(error instanceof AttnswapError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, reason);
  return true;
};

const ones = (...sizes: number[]): TensorToWrite => ({
  dtype: 'F32',
  shape: sizes,
  data: new Float32Array(sizes.reduce((a, b) => a * b, 1)).fill(1),
});
const bytes = (dtype: 'U8' | 'BOOL', sizes: number[], value = 1): TensorToWrite => ({
  dtype,
  shape: sizes,
  data: new Uint8Array(sizes.reduce((a, b) => a * b, 1)).fill(value),
});
const good = { q: ones(2, 4, 3, 8), k: ones(2, 2, 5, 8), v: ones(2, 2, 5, 8) };
const gates = { 'gate.u': ones(4, 8, 3), 'gate.w': ones(4, 8, 3), 'gate.b': ones(4) };

function spoilt(tensor: TensorToWrite, value: number): TensorToWrite {
  const data = Float32Array.from(tensor.data);
  data[data.length - 1] = value;
  return { ...tensor, data };
}

test('inputs with mask, cap, sinks, gate and scale are read as they were written', async () => {
  const inputs = {
    ...drawGaussian(shape, 1),
    mask: Uint8Array.from([1, 1, 0, 1, 1, 0, 0, 0, 1, 1]),
    scale: 0.1,
    softcap: 30,
    sinks: Float32Array.of(1, -2, 0.5, 0),
    gate: drawGate(shape, 3, 1),
  };
  await writeInputs(path, inputs, { model: 'tiny' });
  const read = await readCapturedInputs(path, wanted);
  assert.deepEqual(read.inputs, inputs);
  assert.equal(read.metadata.get('model'), 'tiny');
  assert.deepEqual(read.warnings, []);
});

test('without metadata the scale is 1/√headDim, and there is no mask, cap, sink or gate', async () => {
  await writeSafetensors(path, good);
  const { inputs, warnings } = await readCapturedInputs(path, wanted);
  assert.equal(inputs.scale, 1 / Math.sqrt(8));
  assert.deepEqual([inputs.mask, inputs.softcap, inputs.sinks, inputs.gate], [undefined, undefined, undefined, undefined]);
  assert.deepEqual(warnings, []);
  assert.deepEqual(inputs.shape, shape);
});

test('values are rounded to the dtype asked for, the gate too', async () => {
  await writeSafetensors(path, { ...good, q: spoilt(good.q, 1 / 3), ...gates, 'gate.b': spoilt(gates['gate.b'], 1 / 3) });
  const { inputs } = await readCapturedInputs(path, { causal: true, dtype: 'bf16' });
  assert.equal(inputs.query.at(-1), 0.333984375);
  assert.equal(inputs.gate?.b.at(-1), 0.333984375);
});

test('a mask of BOOL or U8 keeps where it is 1', async () => {
  for (const dtype of ['BOOL', 'U8'] as const) {
    await writeSafetensors(path, { ...good, mask: bytes(dtype, [2, 5], 0) });
    assert.deepEqual((await readCapturedInputs(path, wanted)).inputs.mask, new Uint8Array(10));
  }
});

const wrongFiles: Readonly<Record<string, readonly [Record<string, TensorToWrite>, RegExp]>> = {
  'no q': [{ k: good.k, v: good.v }, /no tensor q/],
  'q of three dimensions': [{ ...good, q: ones(2, 12, 8) }, /q has shape \[2, 12, 8\], expected 4/],
  'q of bytes': [{ ...good, q: bytes('U8', [2, 4, 3, 8]) }, /q has dtype U8/],
  'k of another batch': [{ ...good, k: ones(1, 2, 5, 8) }, /k has shape \[1, 2, 5, 8\], expected \[2, 2, 5, 8\]/],
  'k of another headDim': [{ ...good, k: ones(2, 2, 5, 4) }, /k has shape \[2, 2, 5, 4\], expected \[2, 2, 5, 8\]/],
  'v of another length': [{ ...good, v: ones(2, 2, 6, 8) }, /v has shape \[2, 2, 6, 8\], expected \[2, 2, 5, 8\]/],
  'heads that are no multiple of kvHeads': [{ ...good, k: ones(2, 3, 5, 8), v: ones(2, 3, 5, 8) }, /4 heads .*3 kvHeads/],
  'no keys': [{ ...good, k: ones(2, 2, 0, 8), v: ones(2, 2, 0, 8) }, /keys is 0/],
  'NaN in q': [{ ...good, q: spoilt(good.q, NaN) }, /q holds NaN at element 191/],
  'infinity in v': [{ ...good, v: spoilt(good.v, -Infinity) }, /v holds -Infinity at element 159/],
  'a mask of another length': [{ ...good, mask: bytes('U8', [2, 4]) }, /mask has shape \[2, 4\], expected \[2, 5\]/],
  'a mask of floats': [{ ...good, mask: ones(2, 5) }, /mask has dtype F32/],
  'a mask with a 2': [{ ...good, mask: bytes('U8', [2, 5], 2) }, /mask holds 2 at element 0/],
  'sinks for other heads': [{ ...good, sinks: ones(2) }, /sinks has shape \[2\], expected \[4\]/],
  'a gate without bias': [{ ...good, 'gate.u': gates['gate.u'], 'gate.w': gates['gate.w'] }, /gate\.b/],
  'a gate for other heads': [{ ...good, ...gates, 'gate.u': ones(2, 8, 3) }, /gate\.u has shape \[2, 8, 3\], expected \[4, 8, 3\]/],
  'gates of two ranks': [{ ...good, ...gates, 'gate.w': ones(4, 8, 2) }, /gate\.w has shape \[4, 8, 2\], expected \[4, 8, 3\]/],
  'a gate of rank 0': [{ ...good, ...gates, 'gate.u': ones(4, 8, 0), 'gate.w': ones(4, 8, 0) }, /rank 0/],
  'NaN in a gate': [{ ...good, ...gates, 'gate.w': spoilt(gates['gate.w'], NaN) }, /gate\.w holds NaN/],
};

test('files that are no inputs are INVALID_INPUTS, naming file and tensor', async (t) => {
  for (const [name, [tensors, reason]] of Object.entries(wrongFiles)) {
    await t.test(name, async () => {
      await writeSafetensors(path, tensors);
      await assert.rejects(readCapturedInputs(path, wanted), (error: Error) => {
        assert.ok(error.message.startsWith(path), error.message);
        return refusedAs('INVALID_INPUTS', reason)(error);
      });
    });
  }
});

test('a number that the dtype asked for cannot hold is refused, not made infinite', async () => {
  await writeSafetensors(path, { ...good, k: spoilt(good.k, 70_000) });
  await assert.rejects(
    readCapturedInputs(path, { causal: true, dtype: 'f16' }),
    refusedAs('INVALID_INPUTS', /k holds 70000 at element 159.*f16/),
  );
  assert.equal((await readCapturedInputs(path, wanted)).inputs.key.at(-1), 70_000);
});

test('a scale that is no finite number is refused', async () => {
  for (const scale of ['', ' ', 'abc', 'NaN', 'Infinity', '1e999', '0.1, 0.2']) {
    await writeSafetensors(path, good, { scale });
    await assert.rejects(readCapturedInputs(path, wanted), refusedAs('INVALID_INPUTS', /scale/), scale);
  }
  await writeSafetensors(path, good, { scale: '1e-05' });
  assert.equal((await readCapturedInputs(path, wanted)).inputs.scale, 1e-5);
});

test('a soft cap that is no number above 0 is refused', async () => {
  for (const softcap of ['', 'abc', 'Infinity', '0', '-50']) {
    await writeSafetensors(path, good, { softcap });
    await assert.rejects(readCapturedInputs(path, wanted), refusedAs('INVALID_INPUTS', /softcap/), softcap);
  }
});

test('metadata about causality only warns: the flag alone counts', async () => {
  for (const [says, causal, expected] of [
    ['true', true, []],
    ['False', false, []],
    ['False', true, [/causal=false.*causal=true/]],
    ['1', false, [/causal=true.*causal=false/]],
    ['perhaps', false, [/"perhaps"/]],
    ['perhaps', true, [/"perhaps"/]],
  ] as const) {
    await writeSafetensors(path, good, { causal: says });
    const { inputs, warnings } = await readCapturedInputs(path, { causal, dtype: 'f32' });
    assert.equal(inputs.shape.causal, causal);
    assert.equal(warnings.length, expected.length, says);
    for (const [index, pattern] of expected.entries()) assert.match(warnings[index]!, pattern);
  }
});

test('without a wish, inputs are as causal as their file says', async () => {
  for (const [says, causal] of [
    ['true', true],
    ['0', false],
    ['perhaps', false],
  ] as const) {
    await writeSafetensors(path, good, { causal: says });
    const { inputs } = await readCapturedInputs(path, { dtype: 'f32' });
    assert.equal(inputs.shape.causal, causal, says);
  }
});

test('an output is written as o in F32', async () => {
  const output = drawGaussian(shape, 1).query;
  await writeOutput(path, output, shape, { variant: 'dense' });
  const opened = await openSafetensors(path);
  const entry = opened.tensors.get('o')!;
  assert.deepEqual([entry.dtype, entry.shape], ['F32', [2, 4, 3, 8]]);
  assert.deepEqual(floatsOf(await opened.bytes(entry), 'F32'), output);
  assert.equal(opened.metadata.get('variant'), 'dense');
  await opened.close();
});

const request = { shape, seed: 1, wantsGate: false };

test('createInputs draws by kind and adds a gate only where one is wanted', async () => {
  assert.deepEqual((await createInputs({ ...request, kind: 'gaussian' })).inputs, drawGaussian(shape, 1));
  const { inputs } = await createInputs({ ...request, kind: 'calibrated', wantsGate: true, gateRank: 3 });
  assert.deepEqual(inputs.gate, drawGate(shape, 3, 1));
});

test('createInputs refuses unknown kinds and seeds', async () => {
  for (const kind of ['normal', 'captured:', 'captured', 'Gaussian'])
    await assert.rejects(createInputs({ ...request, kind }), refusedAs('USAGE', /kind/), kind);
  for (const seed of [-1, 0.5, NaN])
    await assert.rejects(createInputs({ ...request, kind: 'gaussian', seed }), refusedAs('INVALID_PARAMETERS', /seed/));
});

test('a captured gate sets the rank, and another rank is refused', async () => {
  await writeSafetensors(path, { ...good, ...gates });
  const kind = `captured:${path}`;
  assert.equal((await createInputs({ ...request, kind, wantsGate: true })).inputs.gate?.rank, 3);
  assert.equal((await createInputs({ ...request, kind, wantsGate: true, gateRank: 3 })).inputs.gate?.rank, 3);
  assert.equal((await createInputs({ ...request, kind })).inputs.gate, undefined);
  await assert.rejects(
    createInputs({ ...request, kind, wantsGate: true, gateRank: 2 }),
    refusedAs('INVALID_PARAMETERS', /rank is 2.*rank 3/),
  );
});

test('a captured file of another shape than asked for is refused', async () => {
  await writeSafetensors(path, good);
  const kind = `captured:${path}`;
  await assert.rejects(
    createInputs({ ...request, kind, shape: { ...shape, keys: 6 } }),
    refusedAs('INVALID_SHAPE', /keys is 5, expected 6/),
  );
});

test('inputs of many more heads than tokens are read with a warning: they may be [batch, n, heads, d]', async () => {
  await writeSafetensors(path, { q: ones(1, 128, 8, 64), k: ones(1, 128, 2, 64), v: ones(1, 128, 2, 64) });
  const { warnings } = await readCapturedInputs(path, wanted);
  assert.match(warnings.join(), /128 heads of 8 queries and 2 keys.*\[batch, n, heads, d\].*swap axes 1 and 2/);
  await writeSafetensors(path, { q: ones(1, 32, 1, 64), k: ones(1, 8, 128, 64), v: ones(1, 8, 128, 64) });
  assert.deepEqual((await readCapturedInputs(path, wanted)).warnings, []);
});
