import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { systemReason } from './system-reason.ts';

const reasonOf = (step: Promise<unknown>) => step.then(() => 'nothing', systemReason);

test('what the system says is told in its words and with its code, without the call and the path', async () => {
  assert.equal(await reasonOf(readFile('/nowhere/a')), 'no such file or directory (ENOENT)');
  assert.equal(await reasonOf(readdir(import.meta.filename)), 'not a directory (ENOTDIR)');
  assert.equal(await reasonOf(readFile(import.meta.dirname)), 'illegal operation on a directory (EISDIR)');
});

test('a path other than the one that the message names is told', async () => {
  const error = await readFile('/nowhere/weights.bin').catch((fault: unknown) => fault);
  assert.equal(systemReason(error, 'out.onnx'), '/nowhere/weights.bin: no such file or directory (ENOENT)');
  assert.equal(systemReason(error, '/nowhere/weights.bin'), 'no such file or directory (ENOENT)');
});

test('any other error keeps its message', () => {
  assert.equal(systemReason(new TypeError('not a regular file')), 'not a regular file');
  assert.equal(systemReason('gone'), 'gone');
});
