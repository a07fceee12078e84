import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { externalModel, folder, outputOf, refusedAs, sum, values } from '../fixtures/external-model.ts';
import { floats } from '../fixtures/small-model.ts';
import { readOnnxFile, writeOnnxFile } from './onnx-file.ts';

test('a model is written beside its external files, which are copied or linked to another folder, once', async () => {
  const file = await readOnnxFile(externalModel());
  for (const externalFiles of ['copy', 'link'] as const) {
    const to = folder();
    const target = join(to, 'copy.onnx');
    await writeOnnxFile(target, file.proto, file, { externalFiles });
    await writeOnnxFile(target, file.proto, file, { externalFiles });
    assert.deepEqual(readdirSync(to).toSorted(), ['copy.onnx', 'weights.bin']);
    const same = statSync(join(to, 'weights.bin')).ino === statSync(file.externalFiles[0]!.path).ino;
    assert.equal(same, externalFiles === 'link');
    assert.deepEqual(await outputOf(target), await outputOf(file.path));
    assert.equal((await readOnnxFile(target)).externalFiles.length, 1);
  }
});

test('another file in the place of an external one is not overwritten, and nothing is left behind', async () => {
  const file = await readOnnxFile(externalModel());
  const to = folder();
  writeFileSync(join(to, 'weights.bin'), Buffer.alloc(6144, 1));
  await assert.rejects(
    writeOnnxFile(join(to, 'copy.onnx'), file.proto, file),
    refusedAs('FILE_UNWRITABLE', /another file is already there/),
  );
  assert.deepEqual(readdirSync(to), ['weights.bin']);
  assert.deepEqual(readFileSync(join(to, 'weights.bin')), Buffer.alloc(6144, 1));
});

test('a model does not replace its own weights, a pipe or a folder', async () => {
  const file = await readOnnxFile(externalModel());
  await assert.rejects(writeOnnxFile(file.externalFiles[0]!.path, file.proto, file), refusedAs('FILE_UNWRITABLE', /its own external file/));
  const at = folder();
  execFileSync('mkfifo', [join(at, 'pipe.onnx')]);
  for (const path of [at, join(at, 'pipe.onnx'), join(at, 'absent', 'model.onnx')])
    await assert.rejects(writeOnnxFile(path, sum()), refusedAs('FILE_UNWRITABLE', /could not be written/));
  assert.deepEqual(readdirSync(at), ['pipe.onnx']);
});

test('files brought for a model that then cannot be written are taken back', async () => {
  const file = await readOnnxFile(externalModel());
  const to = folder();
  await assert.rejects(
    writeOnnxFile(join(to, 'copy.onnx'), file.proto, file, { maximumBytes: 10 }),
    refusedAs('INVALID_MODEL', /expected at most 10/),
  );
  assert.deepEqual(readdirSync(to), []);
});

test('a model too large for one protobuf is written with its large initializers beside it, and runs alike', async () => {
  const at = folder();
  const [whole, divided] = [join(at, 'whole.onnx'), join(at, 'divided.onnx')];
  await writeOnnxFile(whole, sum());
  await writeOnnxFile(divided, sum(), undefined, { maximumBytes: 2000 });
  assert.deepEqual(readdirSync(at).toSorted(), ['divided.onnx', 'divided.onnx.data', 'whole.onnx']);
  const file = await readOnnxFile(divided);
  assert.deepEqual(
    file.externalFiles.map(({ location, bytes }) => [location, bytes]),
    [['divided.onnx.data', 2048]],
  );
  assert.deepEqual(await outputOf(divided), await outputOf(whole));
  assert.equal(statSync(`${divided}.data`).nlink, 1);
  await assert.rejects(
    writeOnnxFile(
      divided,
      sum(
        floats(
          'w',
          [512],
          values.map((value) => -value),
        ),
      ),
      undefined,
      { maximumBytes: 2000 },
    ),
    refusedAs('FILE_UNWRITABLE', /another file/),
  );
  assert.deepEqual(await outputOf(divided), await outputOf(whole), 'what was there stays');
});
