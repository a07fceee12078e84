import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { zipSync } from 'fflate';
import { writeSafetensors } from '../../inputs/safetensors.ts';
import { AttnswapError } from '../../contract/errors.ts';
import * as bert from '../../../tests/models/torchscript-bert.ts';
import { isModelPath } from './foreign-files.ts';
import { readOnnxFile } from './onnx-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-kinds-'));

/** Files of other kinds, as their own writers begin them, and what is said of each. */
const kinds: Readonly<Record<string, readonly [Uint8Array | string, RegExp, RegExp]>> = {
  'weights.pt': [
    zipSync({ 'archive/data.pkl': new Uint8Array([0x80, 2]) }),
    /a zip archive, such as a PyTorch checkpoint/,
    /torch\.onnx\.export/,
  ],
  'old.pth': [new Uint8Array([0x80, 2, 0x8a, 10, 0x6c, 0xfc]), /a Python pickle/, /torch\.onnx\.export/],
  'new.pkl': [new Uint8Array([0x80, 5, 0x95, 1]), /a Python pickle/, /optimum-cli export onnx/],
  'model.gguf': [Buffer.from('GGUF\u0003\0\0\0\u0001\0\0\0', 'latin1'), /a GGUF file/, /original checkpoint/],
  'model.h5': [Buffer.from('\u0089HDF\r\n\u001a\n', 'latin1'), /an HDF5 file/, /tf2onnx/],
  'model.tflite': [Buffer.from('\u001c\0\0\0TFL3', 'latin1'), /a TensorFlow Lite model/, /tf2onnx/],
  'model.ort': [Buffer.from('\u001c\0\0\0ORTM', 'latin1'), /ONNX Runtime’s own format/, /the \.onnx file/],
  'page.onnx': ['<!DOCTYPE html><html><head><title>model.onnx</title>', /an HTML page/, /download the file itself/],
  'pointer.onnx': ['version https://git-lfs.github.com/spec/v1\noid sha256:', /a Git LFS pointer/, /git lfs pull/],
};

for (const [name, [content, what, hint]] of Object.entries(kinds)) {
  test(`${name} is recognized, and what to do is said`, async () => {
    const path = join(folder, name);
    writeFileSync(path, content);
    await assert.rejects(readOnnxFile(path), (error: unknown) => {
      assert.ok(error instanceof AttnswapError);
      assert.equal(error.code, 'INVALID_MODEL');
      assert.match(error.message, what);
      assert.match(error.hint ?? '', hint);
      return true;
    });
  });
}

test('a safetensors file is recognized, empty or not', async () => {
  const path = join(folder, 'x.safetensors');
  for (const tensors of [{}, { w: { dtype: 'F32' as const, shape: [2], data: new Float32Array(2) } }]) {
    await writeSafetensors(path, tensors, {});
    await assert.rejects(readOnnxFile(path), /a safetensors file: weights without a graph/);
  }
});

test('a model is taken for none of them, whatever it is called', async () => {
  for (const name of ['model.onnx', 'model.bin', 'model']) {
    writeFileSync(join(folder, name), bert.build());
    assert.ok((await readOnnxFile(join(folder, name))).proto.graph);
  }
});

test('what a user may mean as a model is told from the name of a suite', () => {
  assert.deepEqual(['a.onnx', 'b.SAFETENSORS', 'c.pt', 'tune-recall', './my.suite.ts'].map(isModelPath), [true, true, true, false, false]);
});
