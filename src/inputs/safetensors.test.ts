import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { AttnswapError } from '../contract/errors.ts';
import { floatsOf, openSafetensors, writeSafetensors } from './safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-safetensors-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A folder of its own for one test, so that what is left behind can be counted. */
function emptyFolder(name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}

function file(header: string | Uint8Array, data = 0, length?: bigint): Buffer {
  const text = Buffer.from(header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([prefix, text, Buffer.alloc(data)]);
}

const refusedAs = (code: string) => (error: unknown) => error instanceof AttnswapError && error.code === code;
const tensor = (name: string, start: number, end: number, shape = `[${(end - start) / 4}]`, dtype = 'F32'): string =>
  `"${name}":{"dtype":"${dtype}","shape":${shape},"data_offsets":[${start},${end}]}`;

/** Hostile files, and a word of the refusal that shows it was refused for its own fault. */
const hostile: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
  'an empty file': [Buffer.alloc(0), /0 bytes/],
  'seven bytes': [Buffer.alloc(7), /7 bytes/],
  'a header of length 0': [file('', 0), /begins with|length is 0/],
  'a header length of 2^63': [file('{}', 0, 2n ** 63n), /9223372036854775808/],
  'a header length of 2^64 − 1': [file('{}', 0, 2n ** 64n - 1n), /18446744073709551615/],
  'a header longer than the file': [file('{}', 0, 3n), /length is 3/],
  'a header that is no object': [file('[]'), /begins with/],
  'a header that begins with white space': [file(' {}'), /begins with/],
  'a header that begins with a byte order mark': [file('\uFEFF{}'), /begins with/],
  'a header that is cut off': [file('{"a":'), /JSON/],
  'a header with text after it': [file('{} {}'), /JSON/],
  'a header that is not UTF-8': [file(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), /UTF-8/],
  'nesting of 100 000 arrays': [file(`{"a":{"dtype":"F32","shape":${'['.repeat(1e5)}${']'.repeat(1e5)},"data_offsets":[0,0]}}`), /deep/],
  'nesting that never ends': [file(`{"a":${'{"a":'.repeat(1e5)}`), /deep|JSON/],
  'a string of ten million characters': [file(`{"${'\\n'.repeat(1e7)}`), /JSON/],
  'a tensor that is no object': [file('{"a":[]}'), /"a" is not an object/],
  'a tensor that is null': [file('{"a":null}'), /"a" is not an object/],
  'metadata of numbers': [file('{"__metadata__":{"scale":1}}'), /__metadata__/],
  'metadata that is a list': [file('{"__metadata__":["a"]}'), /__metadata__/],
  'no dtype': [file('{"a":{"shape":[0],"data_offsets":[0,0]}}'), /dtype/],
  'a dtype of small letters and spaces': [file(`{${tensor('a', 0, 4, '[1]', 'f 32')}}`, 4), /dtype is "f 32"/],
  'a dtype without end': [file(`{${tensor('a', 0, 4, '[1]', 'F'.repeat(1e5))}}`, 4), /dtype is "FFF/],
  'an unknown dtype whose offsets run backwards': [file(`{${tensor('a', 4, 0, '[1]', 'F8_E4M3')}}`, 4), /span -4 bytes/],
  'a dtype named as a method of objects': [file(`{${tensor('a', 0, 4, '[1]', 'toString')}}`, 4), /toString/],
  'no shape': [file('{"a":{"dtype":"F32","data_offsets":[0,0]}}'), /shape/],
  'a negative shape': [file(`{${tensor('a', 0, 4, '[-1]')}}`, 4), /shape is \[-1\]/],
  'a fractional shape': [file(`{${tensor('a', 0, 4, '[1.5]')}}`, 4), /shape is \[1.5\]/],
  'a shape of strings': [file(`{${tensor('a', 0, 4, '["1"]')}}`, 4), /shape is \["1"\]/],
  'a shape above 2^53': [file(`{${tensor('a', 0, 4, '[9007199254740993]')}}`, 4), /shape/],
  'shapes whose product overflows': [file(`{${tensor('a', 0, 4, '[4294967296,4294967296,4294967296]')}}`, 4), /expected 3.*e\+29|exceeds/],
  'a shape of 100 000 ones': [file(`{${tensor('a', 0, 4, `[${'1,'.repeat(99_999)}1]`)}}`, 4), /shape/],
  'one offset': [file('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0]}}'), /data_offsets/],
  'negative offsets': [file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}'), /data_offsets/],
  'offsets in the wrong order': [file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', 4), /span -4|data_offsets/],
  'offsets that lie about the shape': [file(`{${tensor('a', 0, 8, '[1]')}}`, 8), /8 bytes, expected 4/],
  'offsets beyond the file': [file(`{${tensor('a', 0, 4000)}}`, 4), /4000/],
  'truncated data': [file(`{${tensor('a', 0, 8)}}`, 7), /\b7\b/],
  'data that belongs to no tensor': [file(`{${tensor('a', 0, 8)}}`, 12), /\b12\b/],
  'data without any tensor': [file('{}', 4), /\b4\b/],
  'tensors that overlap': [file(`{${tensor('a', 0, 8)},${tensor('b', 4, 12)}}`, 12), /"b".*inside|"b".*overlap/],
  'two tensors on the same bytes': [file(`{${tensor('a', 0, 8)},${tensor('b', 0, 8)}}`, 8), /inside|overlap/],
  'a hole between tensors': [file(`{${tensor('a', 0, 8)},${tensor('b', 12, 16)}}`, 16), /"b".*gap/],
  'a hole before the first tensor': [file(`{${tensor('a', 4, 8)}}`, 8), /"a".*gap/],
  'a name that stands twice': [file(`{${tensor('a', 0, 4)},${tensor('a', 0, 4)}}`, 4), /twice|duplicate/],
  'a name that stands twice, once escaped': [file(`{${tensor('a', 0, 4)},${tensor('\\u0061', 0, 4)}}`, 4), /twice|duplicate/],
  'a shape that stands twice': [file('{"a":{"dtype":"F32","shape":[9],"shape":[1],"data_offsets":[0,4]}}', 4), /twice|duplicate/],
  'metadata that stands twice': [file('{"__metadata__":{"scale":"1","scale":"2"}}'), /twice|duplicate/],
  'a prototype given instead of fields': [
    file('{"a":{"__proto__":{"dtype":"F32"},"shape":[1],"data_offsets":[0,4]}}', 4),
    /dtype is missing/,
  ],
};

test('hostile files are refused as INVALID_SAFETENSORS, each for its own fault, with the file named and a hint', async (t) => {
  for (const [name, [bytes, reason]] of Object.entries(hostile)) {
    await t.test(name, async () => {
      const path = join(folder, 'hostile.safetensors');
      writeFileSync(path, bytes);
      const error: unknown = await openSafetensors(path).then(
        (opened) => opened.close().then(() => undefined),
        (refusal: unknown) => refusal,
      );
      assert.ok(error instanceof AttnswapError, 'was not refused');
      assert.equal(error.code, 'INVALID_SAFETENSORS', error.message);
      assert.match(error.message, reason);
      assert.ok(error.message.startsWith(path) && error.hint !== undefined);
      assert.ok(error.message.length < 1000, `a message of ${error.message.length} characters`);
    });
  }
});

test('a header of more than 100 MB is refused before it is read', async () => {
  const path = join(folder, 'large.safetensors');
  writeFileSync(path, file('{}', 0, 100_000_001n));
  execFileSync('truncate', ['-s', '110000000', path]);
  await assert.rejects(openSafetensors(path), (error) => refusedAs('INVALID_SAFETENSORS')(error) && /100000001/.test(String(error)));
  rmSync(path);
});

test('a file that is not there, a folder and a pipe are FILE_UNREADABLE, without waiting for a writer', { timeout: 10_000 }, async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const path of [join(folder, 'absent'), folder]) await assert.rejects(openSafetensors(path), refusedAs('FILE_UNREADABLE'), path);
  await assert.rejects(openSafetensors(pipe), refusedAs('FILE_UNREADABLE'));
});

test('a tensor named __proto__ is a tensor, and changes no prototype', async () => {
  const path = join(folder, 'proto.safetensors');
  writeFileSync(path, file(`{"__metadata__":{"__proto__":"m"},${tensor('__proto__', 0, 4)}}`, 4));
  const opened = await openSafetensors(path);
  assert.deepEqual([...opened.tensors.keys()], ['__proto__']);
  assert.equal(opened.metadata.get('__proto__'), 'm');
  assert.equal(Object.hasOwn(Object.prototype, 'dtype'), false);
  await opened.close();
});

test('empty tensors, scalars, trailing spaces and every dtype are read', async () => {
  const path = join(folder, 'legal.safetensors');
  const sizes = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U64: 8, U32: 4, U16: 2, U8: 1, BOOL: 1 };
  let at = 0;
  const tensors = Object.entries(sizes).map(([dtype, size]) => tensor(dtype, at, (at += size), '[]', dtype));
  writeFileSync(path, file(`{${tensors.join(',')},${tensor('none', at, at, '[3,0]')}}   `, at));
  const opened = await openSafetensors(path);
  assert.deepEqual([...opened.tensors.keys()], [...Object.keys(sizes), 'none']);
  for (const entry of opened.tensors.values()) assert.equal((await opened.bytes(entry)).length, entry.end - entry.start);
  await opened.close();
});

test('a tensor of a type that is not read lies beside others, and is refused when it is asked for', async () => {
  const path = join(folder, 'fp8.safetensors');
  writeFileSync(path, file(`{${tensor('q', 0, 8)},${tensor('scale', 8, 12, '[4]', 'F8_E4M3')},${tensor('w', 12, 14, '[4]', 'F4')}}`, 14));
  const opened = await openSafetensors(path);
  assert.equal((await opened.bytes(opened.tensors.get('q')!)).length, 8);
  for (const name of ['scale', 'w'])
    await assert.rejects(
      opened.bytes(opened.tensors.get(name)!),
      (error) => refusedAs('INVALID_SAFETENSORS')(error) && /"(scale|w)": dtype is (F8_E4M3|F4), expected one of F64/.test(String(error)),
    );
  await opened.close();
});

test('floats of every precision become the f32 they stand for', async () => {
  const path = join(folder, 'floats.safetensors');
  const data = Buffer.alloc(16);
  data.writeDoubleLE(1 / 3, 0);
  data.writeFloatLE(-1.5, 8);
  data.writeUInt16LE(0x0001, 12);
  data.writeUInt16LE(0xc040, 14);
  const header = [
    tensor('d', 0, 8, '[1]', 'F64'),
    tensor('s', 8, 12),
    tensor('h', 12, 14, '[1]', 'F16'),
    tensor('b', 14, 16, '[1]', 'BF16'),
  ];
  writeFileSync(path, Buffer.concat([file(`{${header.join(',')}}`), data]));
  const opened = await openSafetensors(path);
  const read = async (name: string): Promise<number[]> => {
    const entry = opened.tensors.get(name)!;
    return [...floatsOf(await opened.bytes(entry), entry.dtype)];
  };
  assert.deepEqual(await read('d'), [Math.fround(1 / 3)]);
  assert.deepEqual(await read('s'), [-1.5]);
  assert.deepEqual(await read('h'), [2 ** -24]);
  assert.deepEqual(await read('b'), [-3]);
  await opened.close();
});

test('only the tensor asked for is read from a large sparse file', async () => {
  const path = join(folder, 'sparse.safetensors');
  const large = 2 ** 36;
  writeFileSync(path, file(`{${tensor('small', 0, 4)},${tensor('large', 4, large)}}`));
  const headerBytes = statSync(path).size;
  execFileSync('truncate', ['-s', String(headerBytes + large), path]);
  const opened = await openSafetensors(path);
  assert.deepEqual([...floatsOf(await opened.bytes(opened.tensors.get('small')!), 'F32')], [0]);
  await assert.rejects(opened.bytes(opened.tensors.get('large')!), refusedAs('INVALID_SAFETENSORS'));
  await opened.close();
  rmSync(path);
});

test('what is written is read again, aligned, and the same bytes each time', async () => {
  const within = emptyFolder('round-trip');
  const path = join(within, 'a.safetensors');
  const tensors = {
    mask: { dtype: 'BOOL', shape: [3], data: Uint8Array.from([1, 0, 1]) },
    q: { dtype: 'F32', shape: [2, 1], data: Float32Array.from([1.5, -2]) },
  } as const;
  await writeSafetensors(path, tensors, { model: 'tiny «ü»' });
  const first = readFileSync(path);
  const opened = await openSafetensors(path);
  assert.equal(opened.metadata.get('model'), 'tiny «ü»');
  const { q, mask } = Object.fromEntries(opened.tensors);
  assert.deepEqual([...floatsOf(await opened.bytes(q!), 'F32')], [1.5, -2]);
  assert.deepEqual([...(await opened.bytes(mask!))], [1, 0, 1]);
  assert.equal(opened.dataStart % 8, 0);
  assert.equal(q!.start % 4, 0);
  await opened.close();
  await writeSafetensors(path, tensors, { model: 'tiny «ü»' });
  assert.deepEqual(readFileSync(path), first);
  assert.deepEqual(readdirSync(within), ['a.safetensors']);
});

test('a folder that does not exist is FILE_UNWRITABLE with its cause', async () => {
  const within = emptyFolder('absent-folder');
  const refused = (error: unknown) => refusedAs('FILE_UNWRITABLE')(error) && (error as Error).cause instanceof Error;
  await assert.rejects(writeSafetensors(join(within, 'no', 'a.safetensors'), {}), refused);
  assert.deepEqual(readdirSync(within), []);
});

test('a folder in the place of the file is FILE_UNWRITABLE and stays', async () => {
  const within = emptyFolder('folder-in-place');
  mkdirSync(join(within, 'a'));
  await assert.rejects(writeSafetensors(join(within, 'a'), {}), refusedAs('FILE_UNWRITABLE'));
  assert.deepEqual(readdirSync(within), ['a']);
});

test('a pipe or device in the place of the file is FILE_UNWRITABLE, not replaced by a file', async () => {
  const within = emptyFolder('pipe-in-place');
  execFileSync('mkfifo', [join(within, 'pipe')]);
  await assert.rejects(writeSafetensors(join(within, 'pipe'), {}), refusedAs('FILE_UNWRITABLE'));
  assert.ok(statSync(join(within, 'pipe')).isFIFO());
  assert.deepEqual(readdirSync(within), ['pipe']);
});

test('a link stays a link, and what it leads to is written', async () => {
  const within = emptyFolder('link');
  writeFileSync(join(within, 'real'), 'before');
  symlinkSync('real', join(within, 'link'));
  await writeSafetensors(join(within, 'link'), {});
  assert.notEqual(readFileSync(join(within, 'real'), 'latin1'), 'before');
  assert.deepEqual(readdirSync(within, { withFileTypes: true }).filter((entry) => entry.isSymbolicLink()).length, 1);
});

test('a write that runs out of room leaves the old file whole and nothing else', async () => {
  const within = emptyFolder('full');
  const path = join(within, 'a.safetensors');
  writeFileSync(path, 'before');
  const script = `
    import { writeSafetensors } from ${JSON.stringify(new URL('safetensors.ts', import.meta.url).href)};
    const data = new Float32Array(1_000_000);
    await writeSafetensors(process.argv[1], { q: { dtype: 'F32', shape: [1_000_000], data } }).catch((e) => console.log(e.code, e.cause.code));`;
  // A limit on a file's size fails a write midway, as a full disk does.
  const limited = 'ulimit -f 1000; exec "$0" --input-type=module -e "$1" "$2"';
  const { stdout } = await promisify(execFile)('bash', ['-c', limited, process.execPath, script, path]);
  assert.equal(stdout.trim(), 'FILE_UNWRITABLE EFBIG');
  assert.deepEqual(readdirSync(within), ['a.safetensors']);
  assert.equal(readFileSync(path, 'utf8'), 'before');
});
