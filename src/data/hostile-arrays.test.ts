import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zipSync } from 'fflate';
import { AttnswapError } from '../contract/errors.ts';
import { numpyArrays } from './fixtures/numpy-arrays.ts';
import { parseNpy } from './npy.ts';
import { parseNpz } from './npz.ts';

function npy(header: string, data = 0, { version = 1, length = header.length } = {}): Uint8Array<ArrayBuffer> {
  const head = Buffer.alloc(version === 1 ? 10 : 12);
  head.write('\x93NUMPY', 'latin1');
  head[6] = version;
  if (version === 1) head.writeUInt16LE(length, 8);
  else head.writeUInt32LE(length, 8);
  return new Uint8Array(Buffer.concat([head, Buffer.from(header, 'latin1'), Buffer.alloc(data, 2)]));
}

const dictionary = (descr: string, shape: string, order = 'False'): string =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }\n`;

/** Hostile .npy files, and a word of the refusal that shows it was refused for its own fault. */
const hostileNpy: Readonly<Record<string, readonly [Uint8Array<ArrayBuffer>, RegExp]>> = {
  'an empty file': [new Uint8Array(0), /is not a \.npy file/],
  'another magic word': [new Uint8Array(64), /is not a \.npy file/],
  'version 0': [npy(dictionary("'<f4'", '(1,)'), 4, { version: 0 }), /version is 0/],
  'version 4': [npy(dictionary("'<f4'", '(1,)'), 4, { version: 4 }), /version is 4/],
  'a header longer than the file': [npy('{}', 0, { length: 3 }), /header length is 3/],
  'a header of 4 GiB': [npy('{}', 0, { version: 2, length: 0xffff_ffff }), /header length is 4294967295/],
  'a header of 100 kB': [npy(dictionary("'<f4'", '(1,)') + ' '.repeat(1e5), 4, { version: 3 }), /header length is 100/],
  'an empty header': [npy('', 4), /header is ""/],
  'a pickle': [npy(dictionary("'|O'", '(1,)'), 8), /pickle/],
  'a structured array': [npy(dictionary("[('a', '<f4')]", '(1,)'), 4), /structured/],
  'a header that calls a function': [npy(dictionary("'<f4'", "__import__('os').system('true')"), 4), /header is/],
  'a product for a shape': [npy(dictionary("'<f4'", '(2*2,)'), 16), /header is/],
  'no shape': [npy("{'descr': '<f4', 'fortran_order': False, 'descr': '<f4', }"), /header is/],
  'a shape that stands twice': [npy("{'descr': '<f4', 'shape': (1,), 'shape': (2,), }", 4), /header is/],
  'a fourth field': [npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", 4), /header is/],
  'text after the dictionary': [npy(`${dictionary("'<f4'", '(1,)')}{}`, 4), /header is/],
  'a number for a shape': [npy(dictionary("'<f4'", '(1)'), 4), /expected a tuple/],
  'a shape of commas': [npy(dictionary("'<f4'", '(,,)'), 4), /whole numbers/],
  'a shape above 2^53': [npy(dictionary("'<f4'", '(99999999999999999999,)'), 4), /whole numbers/],
  'a shape beyond any memory': [npy(dictionary("'<f4'", '(2000000000, 2000000000)'), 4), /at most 2147483648 elements/],
  'a shape of zero times too much': [npy(dictionary("'<f4'", '(0, 9999999999)')), /at most 2147483648 elements/],
  'nine dimensions': [npy(dictionary("'<f4'", '(1,1,1,1,1,1,1,1,1)'), 4), /9 dimensions/],
  'big-endian numbers': [npy(dictionary("'>f4'", '(1,)'), 4), /expected little-endian <f4/],
  'complex numbers': [npy(dictionary("'<c8'", '(1,)'), 8), /dtype is <c8/],
  strings: [npy(dictionary("'<U4'", '(1,)'), 16), /dtype is <U4/],
  'words of 16 bits': [npy(dictionary("'<i2'", '(1,)'), 2), /dtype is <i2/],
  'too few values': [npy(dictionary("'<f4'", '(2,)'), 7), /holds 7 bytes of values, expected 8/],
  'too many values': [npy(dictionary("'<f4'", '(2,)'), 9), /holds 9 bytes of values, expected 8/],
  'a bool of 2': [npy(dictionary("'|b1'", '(2,)'), 2), /bool element 0 is 2/],
};

const good = npy(dictionary("'<f4'", '(1,)'), 4);

/** Finds the central directory's one entry and writes a number into it. */
function withDirectoryField(zip: Uint8Array, at: number, value: number): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(zip);
  bytes.writeUInt32LE(value, bytes.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1')) + at);
  return new Uint8Array(bytes);
}

const zipped = (entries: Record<string, Uint8Array>): Uint8Array<ArrayBuffer> => new Uint8Array(zipSync(entries));
const bomb = zipped({ 'x.npy': new Uint8Array(4_000_000) });
const [checksum, packedSize, unpackedSize] = [16, 20, 24];

const hostileNpz: Readonly<Record<string, readonly [Uint8Array<ArrayBuffer>, RegExp]>> = {
  'an empty file': [new Uint8Array(0), /not a valid zip/],
  'a .npy under another ending': [good, /not a valid zip/],
  'a zip that is cut off': [new Uint8Array(numpyArrays.subarray(0, -40)), /not a valid zip/],
  'a zip without entries': [zipped({}), /no array/],
  'a script': [zipped({ 'x.npy': good, 'setup.py': new Uint8Array(3) }), /"setup\.py", expected only \.npy/],
  'an entry without a name': [zipped({ '.npy': good }), /"\.npy", expected only/],
  'an entry of zeros': [zipped({ 'x.npy': new Uint8Array(64) }), /"x\.npy": is not a \.npy file/],
  'a bomb that says its size': [bomb, /decompresses to 4000000 bytes, expected at most 1000000/],
  'a bomb that says it is small': [withDirectoryField(bomb, unpackedSize, 64), /"x\.npy": has CRC-32|not a valid zip/],
  'a small entry that says it is large': [
    withDirectoryField(zipped({ 'x.npy': good }), unpackedSize, 2 ** 31),
    /decompresses to 2147483648/,
  ],
  'an entry that claims more than the file has': [withDirectoryField(bomb, packedSize, 2 ** 31), /claim 2147483648 compressed bytes/],
  'too much in all': [
    zipped(Object.fromEntries(['a', 'b', 'c'].map((name) => [`${name}.npy`, new Uint8Array(900_000)]))),
    /more than 2000000 bytes/,
  ],
  'too many arrays': [zipped(Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`${index}.npy`, good]))), /more than 10 arrays/],
  'a damaged stream': [damaged(), /not a valid zip|CRC-32/],
  'a checksum of another file': [
    withDirectoryField(zipped({ 'x.npy': good }), checksum, 0x1234),
    /"x\.npy": has CRC-32 [0-9a-f]{8}, expected 00001234/,
  ],
};

function damaged(): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from(zipped({ 'x.npy': npy(dictionary("'<f4'", '(500,)'), 2000) }));
  return bytes.fill(0xff, 40, 60);
}

const limits = { entries: 10, entryBytes: 1_000_000, totalBytes: 2_000_000 };

for (const [kind, cases, parse] of [
  ['.npy', hostileNpy, (bytes: Uint8Array<ArrayBuffer>) => parseNpy(bytes, 'file')],
  ['.npz', hostileNpz, (bytes: Uint8Array<ArrayBuffer>) => parseNpz(bytes, 'file', limits)],
] as const) {
  test(`hostile ${kind} files are refused as INVALID_DATA, each for its own fault`, async (t) => {
    for (const [name, [bytes, reason]] of Object.entries(cases)) {
      await t.test(name, () => {
        assert.throws(
          () => parse(bytes),
          (error) => {
            assert.ok(error instanceof AttnswapError && error.code === 'INVALID_DATA', String(error));
            assert.match(error.message, reason);
            return error.message.startsWith('file') && error.message.length < 500;
          },
        );
      });
    }
  });
}

test('a byte of the values that changed is noticed in every array, packed or stored', () => {
  const arrays = { 'a.npy': npy(dictionary("'<f4'", '(4,)'), 16), 'b.npy': npy(dictionary("'<f4'", '(2,)'), 8) };
  const stored = Buffer.from(zipSync(arrays, { level: 0 }));
  for (const array of Object.values(arrays)) {
    const bytes = Buffer.from(stored);
    const last = bytes.indexOf(array) + array.length - 1;
    bytes[last] = bytes[last]! ^ 1;
    assert.throws(() => parseNpz(new Uint8Array(bytes), 'file'), /CRC-32/);
  }
  const packed = Buffer.from(numpyArrays);
  const original = parseNpz(new Uint8Array(packed), 'file');
  for (let at = 0; at < packed.length; at++) {
    const bytes = Buffer.from(packed);
    bytes[at] = bytes[at]! ^ 1;
    const read = attempt(() => parseNpz(new Uint8Array(bytes), 'file'));
    if (read !== undefined) assert.deepEqual(read, original, `byte ${at} changed what was read`);
  }
});

function attempt<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AttnswapError)) throw error;
    return undefined;
  }
}

test('two arrays of one name are refused', () => {
  const bytes = Buffer.from(zipped({ 'a.npy': good, 'b.npy': good }));
  for (let at = bytes.indexOf('b.npy'); at >= 0; at = bytes.indexOf('b.npy')) bytes.write('a', at);
  assert.throws(() => parseNpz(new Uint8Array(bytes), 'file'), /"a\.npy" twice/);
});

test('an array named __proto__ is an array, and changes no prototype', () => {
  const tensors = parseNpz(zipped({ 'a.npy': good, ['__proto__.npy']: good }), 'file');
  assert.deepEqual(Object.keys(tensors), ['a', '__proto__']);
  assert.equal(Object.getPrototypeOf(tensors), Object.prototype);
});

test('versions 2 and 3, and fields in another order, say the same as version 1', () => {
  const expected = parseNpy(good, 'file');
  for (const version of [2, 3]) assert.deepEqual(parseNpy(npy(dictionary("'<f4'", '(1,)'), 4, { version }), 'file'), expected);
  assert.deepEqual(parseNpy(npy("{'shape': (1L,), 'fortran_order': False, 'descr': '<f4'}", 4), 'file'), expected);
});
