import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBfloat, decodeHalf, encodeBfloat, encodeHalf, roundToDType } from './half-precision.ts';

const patterns = Array.from({ length: 0x1_0000 }, (_, pattern) => pattern);

/** The definition in IEEE 754, without bits. */
function halfByDefinition(pattern: number): number {
  const sign = pattern >= 0x8000 ? -1 : 1;
  const exponent = Math.floor((pattern % 0x8000) / 1024);
  const fraction = pattern % 1024;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

test('all 65536 half patterns decode to their definition and encode back', () => {
  for (const pattern of patterns) {
    const value = decodeHalf(pattern);
    if (!Object.is(value, halfByDefinition(pattern))) assert.fail(`0x${pattern.toString(16)} decodes to ${value}`);
    if (Number.isNaN(value)) assert.ok(Number.isNaN(decodeHalf(encodeHalf(value))));
    else if (encodeHalf(value) !== pattern) assert.fail(`0x${pattern.toString(16)} encodes to 0x${encodeHalf(value).toString(16)}`);
  }
});

test('all 65536 bfloat16 patterns are the upper half of an f32 and encode back', () => {
  const view = new DataView(new ArrayBuffer(4));
  for (const pattern of patterns) {
    view.setUint16(0, pattern);
    view.setUint16(2, 0);
    const value = decodeBfloat(pattern);
    if (!Object.is(value, view.getFloat32(0))) assert.fail(`0x${pattern.toString(16)} decodes to ${value}`);
    if (Number.isNaN(value)) assert.ok(Number.isNaN(decodeBfloat(encodeBfloat(value))));
    else if (encodeBfloat(value) !== pattern) assert.fail(`0x${pattern.toString(16)} encodes to 0x${encodeBfloat(value).toString(16)}`);
  }
});

/** Between each two neighbours: the tie goes to the even pattern, a hair beside it to the nearer. */
function assertRoundsToNearestEven(encode: (value: number) => number, decode: (pattern: number) => number, infinity: number): void {
  for (let pattern = 0; pattern < infinity - 1; pattern += 1) {
    const [low, high] = [decode(pattern), decode(pattern + 1)];
    const tie = (low + high) / 2;
    const hair = (high - low) / 64;
    const even = pattern % 2 === 0 ? pattern : pattern + 1;
    const got = [encode(tie - hair), encode(tie), encode(tie + hair), encode(-tie)];
    if (got[0] !== pattern || got[1] !== even || got[2] !== pattern + 1 || got[3] !== even + 0x8000) {
      assert.fail(`around ${tie}: ${got.map(String).join(', ')}`);
    }
  }
}

test('halves round to nearest, ties to even, from the subnormals to the largest', () => {
  assertRoundsToNearestEven(encodeHalf, decodeHalf, 0x7c00);
  assert.equal(encodeHalf(65519.996), 0x7bff);
  assert.equal(encodeHalf(65520), 0x7c00);
  assert.equal(encodeHalf(-1e30), 0xfc00);
  assert.equal(encodeHalf(2 ** -25), 0);
  assert.equal(encodeHalf(-1e-30), 0x8000);
});

test('bfloat16 rounds to nearest, ties to even, and overflows to infinity', () => {
  assertRoundsToNearestEven(encodeBfloat, decodeBfloat, 0x7f80);
  assert.equal(encodeBfloat(3.4e38), 0x7f80);
});

test('a NaN whose payload lies in the low bits alone stays NaN', () => {
  const values = new Float32Array(new Uint32Array([0x7f80_0001, 0xff80_0001]).buffer);
  for (const value of values) {
    assert.ok(Number.isNaN(decodeHalf(encodeHalf(value))));
    assert.ok(Number.isNaN(decodeBfloat(encodeBfloat(value))));
  }
});

test('rounding to a dtype changes only what the dtype cannot hold', () => {
  const third = Math.fround(1 / 3);
  assert.deepEqual([...roundToDType(new Float32Array([third, 1]), 'f32')], [third, 1]);
  assert.deepEqual([...roundToDType(new Float32Array([third, 1]), 'f16')], [0.333251953125, 1]);
  assert.deepEqual([...roundToDType(new Float32Array([third, 1]), 'bf16')], [0.333984375, 1]);
});
