import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataType as DataType } from 'onnx-buf';
import type { ModelProto, TensorProto } from 'onnx-buf';
import { external, externalModel, folder, outputOf, refusedAs, sum, values } from '../fixtures/external-model.ts';
import { declaration, floats, graphOf, modelOf, node } from '../fixtures/small-model.ts';
import { parseModel, readOnnxFile, writeOnnxFile } from './onnx-file.ts';

test('the hash is that of the model and then of its external files in order of name', async () => {
  const path = externalModel();
  const file = await readOnnxFile(path);
  const expected = createHash('sha256')
    .update(readFileSync(path))
    .update(readFileSync(join(path, '../weights.bin')))
    .digest('hex');
  assert.equal(file.sha256, expected);
  assert.deepEqual(
    file.externalFiles.map(({ location, bytes }) => [location, bytes]),
    [['weights.bin', 6144]],
  );
});

test('fields that no schema knows survive reading and writing', async () => {
  const path = join(folder(), 'model.onnx');
  const model = sum();
  const unknown = [{ no: 9999, wireType: 2, data: Uint8Array.of(3, 1, 2, 3) }];
  for (const message of [model, model.graph!, model.graph!.node[0]!, model.graph!.initializer[0]!]) message.$unknown = unknown;
  await writeOnnxFile(path, model);
  const { proto } = await readOnnxFile(path);
  for (const message of [proto, proto.graph!, proto.graph!.node[0]!, proto.graph!.initializer[0]!])
    assert.deepEqual(
      message.$unknown?.map(({ no, data }) => [no, [...data]]),
      [[9999, [3, 1, 2, 3]]],
    );
  const again = join(folder(), 'model.onnx');
  await writeOnnxFile(again, proto);
  assert.deepEqual(readFileSync(again), readFileSync(path));
});

const nodes = (...list: ReturnType<typeof node>[]): ModelProto =>
  modelOf(graphOf({ nodes: list, inputs: [declaration('x', [4])], outputs: [declaration('y')] }));
const weightOf = (changes: Partial<TensorProto>): ModelProto => sum(Object.assign(floats('w', [512], values), changes));
const branch = (levels: number): ReturnType<typeof graphOf> =>
  graphOf({
    nodes:
      levels === 0 ? [node('Neg', ['x'], ['b0'])] : [node('If', ['x'], [`b${levels}`], { then_branch: { graph: branch(levels - 1) } })],
    outputs: [declaration(`b${levels}`)],
  });

/** Faults that a parsed model can have, and words that show each was refused for its own. */
const faults: Readonly<Record<string, readonly [() => ModelProto, RegExp]>> = {
  'no graph': [() => create(ModelProtoSchema, { irVersion: 7n, opsetImport: [{ version: 13n }] }), /no graph/],
  'no operator set': [() => Object.assign(sum(), { opsetImport: [] }), /imports no operator set/],
  'the IR version of the future': [() => Object.assign(sum(), { irVersion: 14n }), /IR version is 14, expected 3 to 13/],
  'no IR version': [() => Object.assign(sum(), { irVersion: 0n }), /IR version is 0/],
  'a negative size': [() => weightOf({ dims: [-1n] }), /initializer "w": a size is -1/],
  'sizes that overflow': [() => weightOf({ dims: [2n ** 40n, 2n ** 40n] }), /overflow/],
  'too little raw data': [() => weightOf({ rawData: new Uint8Array(2044) }), /2044 bytes of raw data, expected 2048 for FLOAT \[512\]/],
  'no data': [() => weightOf({ rawData: new Uint8Array(0) }), /0 values, expected 512/],
  'raw data of 4-bit numbers that are not packed': [
    () => weightOf({ dataType: DataType.INT4, rawData: new Uint8Array(512) }),
    /expected 256 for INT4/,
  ],
  'data twice': [() => weightOf({ floatData: [1] }), /raw data and floatData/],
  'values in the wrong list': [
    () => weightOf({ rawData: new Uint8Array(0), int64Data: [1n] }),
    /are stored in int64Data, expected floatData/,
  ],
  'an unknown element type': [() => weightOf({ dataType: 99 }), /element type 99/],
  'a tensor that is produced twice': [() => nodes(node('Neg', ['x'], ['y']), node('Abs', ['x'], ['y'])), /"y" is defined twice.*Abs/],
  'two defaults of one input': [
    () => {
      const model = sum();
      model.graph!.input.push(declaration('w', [512]));
      model.graph!.initializer.push(floats('w', [512], values));
      return model;
    },
    /"w" is defined twice \(again as initializer\)/,
  ],
  'a node that gives out an input': [() => nodes(node('Neg', ['x'], ['x'])), /"x" is defined twice/],
  'an input that nothing produces': [
    () => nodes(node('Neg', ['nobody'], ['y'])),
    /node "Neg → y" \(Neg\) reads "nobody", which nothing produces/,
  ],
  'an output that nothing produces': [() => nodes(node('Neg', ['x'], ['z'])), /graph output "y": nothing produces it/],
  'a cycle': [
    () => nodes(node('Abs', ['c'], ['y']), node('Add', ['x', 'b'], ['a']), node('Neg', ['a'], ['b']), node('Neg', ['a'], ['c'])),
    /node "(Add → a|Neg → b)" is on a cycle/,
  ],
  'a node that reads itself': [() => nodes(node('Add', ['x', 'y'], ['y'])), /node "Add → y" is on a cycle/],
  'a branch that defines an outer tensor again': [
    () => nodes(node('Neg', ['x'], ['b0']), node('If', ['x'], ['y'], { then_branch: { graph: branch(0) } })),
    /"b0" is already defined in an enclosing graph/,
  ],
  'branches nested too deep': [
    () => nodes(node('If', ['x'], ['y'], { then_branch: { graph: branch(16) } })),
    /subgraphs are nested more than 16/,
  ],
  'a name too long': [
    () => nodes(node('Neg', ['x'], ['a'.repeat(10_001)]), node('Neg', ['x'], ['y'])),
    /10001 characters, expected at most 10000/,
  ],
};

for (const [name, [build, message]] of Object.entries(faults)) {
  test(`readOnnxFile refuses a model with ${name}`, async () => {
    const path = join(folder(), 'model.onnx');
    writeFileSync(path, toBinary(ModelProtoSchema, build()));
    await assert.rejects(readOnnxFile(path), refusedAs('INVALID_MODEL', message));
  });
}

test('what is allowed is read: 16 levels of branches, absent inputs, names shared by branches, defaults of inputs', () => {
  const both = { then_branch: { graph: branch(0) }, else_branch: { graph: branch(0) } };
  const model = nodes(
    node('If', ['x'], ['a'], both),
    node('If', ['x'], ['d'], { then_branch: { graph: branch(15) } }),
    node('Clip', ['a', '', 'x'], ['y']),
  );
  model.graph!.initializer.push(floats('x', [4], [1, 2, 3, 4]));
  assert.equal(parseModel(toBinary(ModelProtoSchema, model), 'model').graph!.node.length, 3);
});

test('what is no file of a model is refused, without waiting', async () => {
  const at = folder();
  execFileSync('mkfifo', [join(at, 'pipe.onnx')]);
  writeFileSync(join(at, 'empty.onnx'), '');
  writeFileSync(join(at, 'text.onnx'), 'This is a text, not a model.');
  writeFileSync(join(at, 'pointer.onnx'), 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n');
  await assert.rejects(readOnnxFile(join(at, 'pipe.onnx')), refusedAs('INVALID_MODEL', /not a regular file/));
  await assert.rejects(readOnnxFile(at), refusedAs('INVALID_MODEL', /not a regular file/));
  await assert.rejects(readOnnxFile(join(at, 'absent.onnx')), refusedAs('FILE_UNREADABLE', /no such file/));
  await assert.rejects(readOnnxFile(join(at, 'empty.onnx')), refusedAs('INVALID_MODEL', /is empty/));
  await assert.rejects(readOnnxFile(join(at, 'text.onnx')), refusedAs('INVALID_MODEL', /byte \d+/));
  writeFileSync(join(at, 'large.onnx'), '');
  truncateSync(join(at, 'large.onnx'), 2 ** 31);
  await assert.rejects(readOnnxFile(join(at, 'large.onnx')), refusedAs('INVALID_MODEL', /2147483648 bytes, expected at most 2147483647/));
  await assert.rejects(readOnnxFile(join(at, 'pointer.onnx')), refusedAs('INVALID_MODEL', /Git LFS/));
});

const hostilePlaces: Readonly<Record<string, readonly [Readonly<Record<string, string>>, RegExp]>> = {
  'a way up': [{ location: '../weights.bin' }, /without '..'/],
  'a hidden way up': [{ location: 'a/../../weights.bin' }, /without '..'/],
  'an absolute path': [{ location: '/etc/passwd' }, /relative path/],
  'a drive': [{ location: 'C:weights.bin' }, /relative path/],
  'a backslash': [{ location: '..\\weights.bin' }, /relative path/],
  'no location': [{ location: '' }, /relative path/],
  'an absent file': [{ location: 'other.bin' }, /no such file/],
  'the model itself': [{ location: 'model.onnx' }, /the model's own file/],
  'an end beyond the file': [{ offset: '4100' }, /bytes 4100 to 6148 of "weights.bin", which has 6144/],
  'a length that disagrees with the sizes': [{ length: '1024' }, /external length is 1024, expected 2048/],
  'an offset that is no number': [{ offset: '-1' }, /external offset is "-1"/],
  'an offset beyond all numbers': [{ offset: '9'.repeat(30) }, /external offset/],
};

for (const [name, [entries, message]] of Object.entries(hostilePlaces)) {
  test(`external data with ${name} are refused`, async () => {
    await assert.rejects(readOnnxFile(externalModel(folder(), entries)), refusedAs('INVALID_MODEL', message));
  });
}

test('external data behind links that leave the folder, pipes and folders are refused; a link within is followed', async () => {
  const at = folder();
  const path = externalModel(at, { location: 'link.bin' });
  const elsewhere = join(folder(), 'outside.bin');
  linkSync(join(at, 'weights.bin'), elsewhere);
  const link = join(at, 'link.bin');
  symlinkSync(elsewhere, link);
  await assert.rejects(readOnnxFile(path), refusedAs('INVALID_MODEL', /a link to a file outside the model's folder/));
  rmSync(link);
  symlinkSync('weights.bin', link);
  assert.equal((await readOnnxFile(path)).externalFiles[0]!.bytes, 6144);
  rmSync(link);
  execFileSync('mkfifo', [link]);
  await assert.rejects(readOnnxFile(path), refusedAs('INVALID_MODEL', /not a regular file/));
});

test('model and data that are links to one folder of blobs, as a hub’s cache has them, are opened; a link to elsewhere is not', async () => {
  const hub = folder();
  const [blobs, snapshot] = ['blobs', 'snapshots/main/onnx'].map((name) => join(hub, name)) as [string, string];
  for (const path of [blobs, snapshot]) mkdirSync(path, { recursive: true });
  renameSync(externalModel(hub), join(blobs, 'aaaa'));
  renameSync(join(hub, 'weights.bin'), join(blobs, 'bbbb'));
  const [path, data] = ['model.onnx', 'weights.bin'].map((name) => join(snapshot, name)) as [string, string];
  symlinkSync('../../../blobs/aaaa', path);
  symlinkSync('../../../blobs/bbbb', data);
  const file = await readOnnxFile(path);
  assert.equal(file.externalFiles[0]!.path, realpathSync(data));
  assert.deepEqual(await outputOf(path), await outputOf(externalModel()));
  const elsewhere = join(folder(), 'copy.onnx');
  await writeOnnxFile(elsewhere, file.proto, file);
  assert.deepEqual(await outputOf(elsewhere), await outputOf(path));

  rmSync(data);
  copyFileSync(join(blobs, 'bbbb'), join(hub, 'beside-the-blobs'));
  symlinkSync('../../../beside-the-blobs', data);
  await assert.rejects(readOnnxFile(path), refusedAs('INVALID_MODEL', /a link to a file outside the model's folder/));
});

test('external 4-bit numbers are packed, the last byte filled up', async () => {
  const entries = { location: 'weights.bin', offset: '0', length: '257' };
  assert.ok(await readOnnxFile(externalModel(folder(), {}, external(entries, [513], DataType.UINT4))));
  const wrong = external({ ...entries, length: '513' }, [513], DataType.UINT4);
  await assert.rejects(readOnnxFile(externalModel(folder(), {}, wrong)), refusedAs('INVALID_MODEL', /length is 513, expected 257/));
});
