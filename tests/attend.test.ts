import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { adapters } from '../adapters/index.ts';
import type { Adapter } from '../src/contract/adapter.ts';
import { writeInputs } from '../src/inputs/captured.ts';
import { drawGaussian } from '../src/inputs/gaussian.ts';
import { openSafetensors, writeSafetensors } from '../src/inputs/safetensors.ts';
import { findAdapter } from '../src/loading/adapter.ts';
import { attend } from '../src/operations/attend.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

const shape = { batch: 2, heads: 4, kvHeads: 2, queries: 20, keys: 33, headDim: 16, causal: true, dtype: 'f32' as const };

test('attend writes o in the inputs’ shape and says how far it is from float64', async () => {
  const cwd = emptyFolder();
  await writeInputs(join(cwd, 'in.safetensors'), drawGaussian(shape, 1));
  const args = [
    'attend',
    '--variant',
    'topk:k=4',
    '--backend',
    'onnx-cpu',
    '--inputs',
    'in.safetensors',
    '--out',
    'out.safetensors',
    '--causal',
    '--json',
  ];
  const { exitCode, stdout, stderr } = await attnswap(args, { cwd });
  assert.equal(exitCode, 0, stderr);
  const result = JSON.parse(stdout) as { error: { relative: number; budget: number } };
  assert.ok(result.error.relative > 0 && result.error.relative <= result.error.budget);
  const file = await openSafetensors(join(cwd, 'out.safetensors'));
  assert.deepEqual(file.tensors.get('o')?.shape, [2, 4, 20, 16]);
  await file.close();
});

test('a kernel whose call fails is disposed of, and nothing is written', async () => {
  const cwd = emptyFolder();
  const [inputs, out] = ['in.safetensors', 'out.safetensors'].map((name) => join(cwd, name)) as [string, string];
  await writeInputs(inputs, drawGaussian(shape, 1));
  const entry = findAdapter(adapters, 'onnx-cpu');
  const inner = await entry.load();
  let disposed = 0;
  const failing: Adapter = {
    ...inner,
    async prepare(request) {
      const kernel = await inner.prepare(request);
      if ('unsupported' in kernel) return kernel;
      const dispose = async () => {
        disposed += 1;
        await kernel.dispose();
      };
      return { ...kernel, run: () => Promise.reject(new Error('the device was lost')), dispose };
    },
  };
  const attending = attend({ variant: 'dense.fused', inputs, out, adapters: [{ ...entry, load: async () => failing }] });
  await assert.rejects(attending, /the device was lost/);
  assert.equal(disposed, 1);
  assert.ok(!existsSync(out));
});

test('without a flag attention is as causal as the file says, and that is told; with one a difference is warned of', async () => {
  const cwd = emptyFolder();
  const args = ['attend', '--variant', 'dense', '--inputs', 'in.safetensors', '--out', 'o.safetensors'];
  await writeInputs(join(cwd, 'in.safetensors'), drawGaussian(shape, 1));
  const { exitCode, stderr } = await attnswap(args, { cwd });
  assert.equal(exitCode, 0);
  assert.match(stderr, /measured with causal=true, as its metadata says/);
  const written = await openSafetensors(join(cwd, 'o.safetensors'));
  assert.equal(written.metadata.get('causal'), 'true');
  await written.close();
  await writeInputs(join(cwd, 'in.safetensors'), drawGaussian({ ...shape, causal: false }, 1));
  assert.match((await attnswap([...args, '--causal'], { cwd })).stderr, /metadata says causal=false, but it was measured with causal=true/);
});

test('what a variant is not defined for, and a provider that is missing, are exit 3 with the word unsupported', async () => {
  const cwd = emptyFolder();
  await writeInputs(join(cwd, 'in.safetensors'), drawGaussian({ ...shape, queries: 40 }, 1));
  const base = ['attend', '--inputs', 'in.safetensors', '--out', 'o.safetensors'];
  for (const more of [
    ['--variant', 'window'],
    ['--variant', 'dense', '--backend', 'onnx-cuda'],
  ]) {
    const { exitCode, stderr } = await attnswap([...base, ...more], { cwd });
    assert.equal(exitCode, 3);
    assert.match(stderr, /unsupported/);
  }
  assert.equal(existsSync(join(cwd, 'o.safetensors')), false);
});

test('bad inputs are exit 5, named, and nothing is written', async () => {
  const cwd = emptyFolder();
  const path = join(cwd, 'in.safetensors');
  const good = drawGaussian(shape, 1);
  const broken: Record<string, () => Promise<void>> = {
    INVALID_SAFETENSORS: async () => writeFileSync(path, 'short'),
    FILE_UNREADABLE: async () => undefined,
    INVALID_INPUTS: () => writeInputs(path, { ...good, query: good.query.map((value, index) => (index === 7 ? NaN : value)) }),
  };
  for (const [code, write] of Object.entries(broken)) {
    await write();
    const name = code === 'FILE_UNREADABLE' ? 'absent.safetensors' : 'in.safetensors';
    const { exitCode, stderr } = await attnswap(['attend', '--variant', 'dense', '--inputs', name, '--out', 'o.safetensors'], { cwd });
    assert.equal(exitCode, 5, code);
    assert.match(stderr, new RegExp(code));
  }
  assert.deepEqual(readdirSync(cwd), ['in.safetensors']);
});

test('waste gives every metric with its denominator, over all rows or a sample', async () => {
  const cwd = emptyFolder();
  await writeInputs(join(cwd, 'in.safetensors'), drawGaussian({ ...shape, queries: 33 }, 1));
  const { exitCode, stdout, stderr } = await attnswap(['waste', '--inputs', 'in.safetensors', '--causal', '--rows', 'all', '--json'], {
    cwd,
  });
  assert.equal(exitCode, 0, stderr);
  const report = JSON.parse(stdout) as {
    rows: { measured: number; of: number };
    overall: { wastedCompute: { p95: { value: number; denominator: { value: number } } } };
  };
  assert.deepEqual([report.rows.measured, report.rows.of], [264, 264]);
  assert.equal(report.overall.wastedCompute.p95.denominator.value, (2 * 4 * 33 * 34) / 2);
  assert.ok(report.overall.wastedCompute.p95.value > 0 && report.overall.wastedCompute.p95.value < 1);
  const bad = await attnswap(['waste', '--inputs', 'in.safetensors', '--rows', 'some'], { cwd });
  assert.equal(bad.exitCode, 5);
});

test('waste by groups of keys is printed; groups of other keys are refused by name', async () => {
  const cwd = emptyFolder();
  const keys = shape.keys;
  await writeInputs(join(cwd, 'in.safetensors'), drawGaussian({ ...shape, causal: false }, 1));
  const waste = (...groups: string[]) =>
    attnswap(['waste', '--inputs', 'in.safetensors', '--no-causal', ...groups.flatMap((group) => ['--group', group])], { cwd });
  const { exitCode, stdout, stderr } = await waste('image=0:9', `text=9:${keys}`);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^keys +weight +pairs +not needed\nimage \(0–8\) +[\d.]+ % /m);
  const bad = await waste('image=0:9', `text=8:${keys}`);
  assert.equal(bad.exitCode, 5);
  assert.match(bad.stderr, /groups "image" \(0 to 9\) and "text" \(8 to \d+\) overlap/);
  const malformed = await waste('image=0-9');
  assert.equal(malformed.exitCode, 5);
  assert.match(malformed.stderr, /expected name=from:to, such as image=0:196/);
});

test('lying safetensors headers are refused', async () => {
  const cwd = emptyFolder();
  const path = join(cwd, 'x.safetensors');
  const write = (header: string, data: number, length = BigInt(Buffer.byteLength(header))) => {
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(length);
    writeFileSync(path, Buffer.concat([head, Buffer.from(header), Buffer.alloc(data)]));
  };
  const tensor = (name: string, start: number, end: number, size = 1, dtype = 'F32') =>
    `"${name}":{"dtype":"${dtype}","shape":[${size}],"data_offsets":[${start},${end}]}`;
  const lies: Record<string, () => void> = {
    'header length beyond the file': () => write('{}', 0, 2n ** 63n),
    'not an object': () => write('[]', 0),
    truncated: () => write(`{${tensor('q', 0, 4)}}`, 2),
    overlap: () => write(`{${tensor('q', 0, 4)},${tensor('k', 2, 6)}}`, 6),
    hole: () => write(`{${tensor('q', 0, 4)},${tensor('k', 8, 12)}}`, 12),
    'wrong span': () => write(`{${tensor('q', 0, 4, 2)}}`, 4),
    'negative size': () => write(`{${tensor('q', 0, 4, -1)}}`, 4),
    'huge size': () => write(`{${tensor('q', 0, 4, 1e30)}}`, 4),
    'prototype as dtype': () => write(`{${tensor('q', 0, 4, 1, '__proto__')}}`, 4),
    twice: () => write(`{${tensor('q', 0, 4)},${tensor('q', 0, 4)}}`, 4),
    'data left over': () => write(`{${tensor('q', 0, 4)}}`, 8),
    empty: () => writeFileSync(path, ''),
  };
  for (const [name, lie] of Object.entries(lies)) {
    lie();
    await assert.rejects(openSafetensors(path), { code: 'INVALID_SAFETENSORS' }, name);
  }
  // Of another type than attnswap reads: refused once it is asked for.
  write(`{${tensor('q', 0, 4, 1, 'F31')}}`, 4);
  const other = await openSafetensors(path);
  await assert.rejects(other.bytes(other.tensors.get('q')!), { code: 'INVALID_SAFETENSORS' });
  await other.close();
  write(`{${tensor('__proto__', 0, 4)}}`, 4);
  const file = await openSafetensors(path);
  assert.deepEqual([...file.tensors.keys()], ['__proto__']);
  await file.close();
});

test('a failed write leaves nothing behind', async () => {
  const cwd = emptyFolder();
  await assert.rejects(writeSafetensors(join(cwd, 'none/x.safetensors'), {}), { code: 'FILE_UNWRITABLE' });
  assert.deepEqual(readdirSync(cwd), []);
  await writeSafetensors(join(cwd, 'x.safetensors'), { o: { dtype: 'F32', shape: [1], data: new Float32Array([2]) } }, { a: 'b' });
  assert.equal(readFileSync(join(cwd, 'x.safetensors')).length % 4, 0);
});
