import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { AttnswapError } from '../contract/errors.ts';
import type { Tensor, Tensors } from '../contract/tensor.ts';
import { openSafetensors, writeSafetensors } from '../inputs/safetensors.ts';
import { numpyArrays } from './fixtures/numpy-arrays.ts';
import { readTensors, writeTensors } from './tensor-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-tensors-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const ofEveryType: Tensors = {
  single: { type: 'float32', dims: [1, 2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) },
  half: { type: 'float16', dims: [2, 2], data: Uint16Array.of(0x3e00, 0xc000, 0x3400, 0x7bff) },
  double: { type: 'float64', dims: [], data: Float64Array.of(3.25) },
  longs: { type: 'int64', dims: [2], data: BigInt64Array.of(2n ** 53n + 1n, -1n) },
  ints: { type: 'int32', dims: [2, 3], data: Int32Array.of(1, 2, 3, 4, 5, 6) },
  bytes: { type: 'int8', dims: [2], data: Int8Array.of(-128, 127) },
  octets: { type: 'uint8', dims: [2], data: Uint8Array.of(0, 255) },
  truths: { type: 'bool', dims: [3], data: Uint8Array.of(1, 0, 1) },
  empty: { type: 'float32', dims: [2, 0, 3], data: new Float32Array() },
};

function refused(code: string, reason: RegExp) {
  return (error: unknown) => error instanceof AttnswapError && error.code === code && reason.test(error.message);
}

test('tensors of every type return from .safetensors as they were, with the metadata', async () => {
  const path = join(folder, 'all.safetensors');
  await writeTensors(path, ofEveryType, { model: 'a', '': 'b' });
  const read = await readTensors(path);
  assert.equal(Object.keys(read).length, 9);
  for (const [name, tensor] of Object.entries(ofEveryType)) assert.deepEqual(read[name], tensor, name);
  const file = await openSafetensors(path);
  await file.close();
  assert.deepEqual(
    file.metadata,
    new Map([
      ['model', 'a'],
      ['', 'b'],
    ]),
  );
});

test('a tensor that is a view into a larger buffer is written alone', async () => {
  const path = join(folder, 'view.safetensors');
  const view = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
  await writeTensors(path, { x: { type: 'float32', dims: [2], data: view } });
  assert.deepEqual((await readTensors(path))['x']!.data, Float32Array.of(1, 2));
});

test('arrays of every type that numpy wrote are read, column-major ones in row-major order', async () => {
  const path = join(folder, 'arrays.npz');
  writeFileSync(path, numpyArrays);
  const { columns, ...others } = await readTensors(path);
  for (const [name, tensor] of Object.entries(ofEveryType)) assert.deepEqual(others[name], tensor, name);
  assert.deepEqual(columns, { type: 'float32', dims: [2, 3, 4], data: Float32Array.from({ length: 24 }, (_, index) => index) });
});

test('a tensor whose values do not match its type and dims is not written, and leaves no file', async () => {
  const wrong: Record<string, Tensor> = {
    'data holds 2 elements, expected 3': { type: 'float32', dims: [3], data: Float32Array.of(1, 2) },
    'is not a BigInt64Array': { type: 'int64', dims: [1], data: Int32Array.of(1) },
    'bool element 1 is 2': { type: 'bool', dims: [2], data: Uint8Array.of(0, 2) },
    'expected whole numbers': { type: 'float32', dims: [-1, -2], data: Float32Array.of(1, 2) },
    'has 9 dimensions': { type: 'float32', dims: new Array<number>(9).fill(1), data: Float32Array.of(1) },
  };
  const path = join(folder, 'wrong.safetensors');
  for (const [reason, x] of Object.entries(wrong))
    await assert.rejects(writeTensors(path, { x }), refused('INVALID_DATA', new RegExp(reason)));
  assert.ok(!readdirSync(folder).some((name) => name.startsWith('wrong')));
});

test('BF16 and unsigned words are refused with the tensor named and a way out', async () => {
  for (const [dtype, bytes] of [
    ['BF16', 2],
    ['U64', 8],
  ] as const) {
    const path = join(folder, `${dtype}.safetensors`);
    await writeSafetensors(path, { weights: { dtype, shape: [2], data: new Uint8Array(2 * bytes) } });
    await assert.rejects(readTensors(path), (error) => {
      assert.ok(refused('INVALID_DATA', new RegExp(`tensor "weights": dtype is ${dtype}, expected one of F32`))(error));
      return (error as AttnswapError).hint !== undefined;
    });
  }
});

test('a bool that is neither 0 nor 1, and a file without tensors, are refused', async () => {
  const path = join(folder, 'bool.safetensors');
  await writeSafetensors(path, { mask: { dtype: 'BOOL', shape: [2], data: Uint8Array.of(1, 7) } });
  await assert.rejects(readTensors(path), refused('INVALID_DATA', /"mask": bool element 1 is 7/));
  await writeSafetensors(path, {});
  await assert.rejects(readTensors(path), refused('INVALID_DATA', /no tensor/));
});

test('another ending is refused, an absent file, a folder and a pipe are unreadable', { timeout: 10_000 }, async () => {
  await assert.rejects(readTensors('x.pt'), refused('INVALID_DATA', /"\.pt", expected \.safetensors, \.npz, \.npy/));
  const pipe = join(folder, 'pipe.npy');
  execFileSync('mkfifo', [pipe]);
  for (const path of [pipe, join(folder, 'absent.npz'), join(folder, 'absent.safetensors')])
    await assert.rejects(readTensors(path), refused('FILE_UNREADABLE', new RegExp(path)));
});

test('a numpy file of more than 2 GiB is refused before it is read', async () => {
  const path = join(folder, 'large.npy');
  execFileSync('truncate', ['-s', '3G', path]);
  await assert.rejects(readTensors(path), refused('INVALID_DATA', /3221225472 bytes long/));
  rmSync(path);
});

test('a .npy file is one tensor, named as the file is', async () => {
  const path = join(folder, 'input_ids.npy');
  const text = "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 2), }\n";
  const head = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length, 0]);
  writeFileSync(path, Buffer.concat([head, Buffer.from(text), Buffer.from(BigInt64Array.of(7n, -8n).buffer)]));
  assert.deepEqual(await readTensors(path), { input_ids: { type: 'int64', dims: [1, 2], data: BigInt64Array.of(7n, -8n) } });
});
