import assert from 'node:assert/strict';
import { test } from 'node:test';
import { untrustedTexts } from '../verdict/fixtures/sample-verdict.ts';
import { oneLine, safeJson, safeLines, tamed, visible } from './untrusted.ts';

test('hidden characters are written out, and only those', () => {
  assert.equal(visible('a\u202eb\u0000\u200f\ud800 \u{e0041} é 日本 😀 → ×'), 'a\\u202eb\\u0000\\u200f\\ud800 \\u{e0041} é 日本 😀 → ×');
  assert.equal(visible('a\nb\tc', '\n'), 'a\nb\\u0009c');
});

test('any text becomes one line without hidden characters', () => {
  for (const text of Object.values(untrustedTexts)) assert.doesNotMatch(oneLine(text), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  assert.equal(oneLine('  a\r\n\t b  '), 'a b');
});

test('lines to print keep their breaks, and are no command of a CI runner', () => {
  assert.equal(safeLines('a\n  ::error::b\n##[group]\u001b[2J\n\tc'), 'a\n  :\\u003aerror::b\n#\\u0023[group]\\u001b[2J\n\tc');
});

test('JSON to print holds no hidden character, and reads back as the same value', () => {
  const value = { ...untrustedTexts, list: ['\u009b31m', '\u202e', '##[error]', '\u{e0041}', '\ud800'], '\u200bname': 1, number: 0.1 };
  const json = safeJson(value);
  assert.deepEqual(JSON.parse(json), value);
  assert.doesNotMatch(json.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|##\[/u);
});

test('a value of others is tamed wherever it holds text, and is else the same', () => {
  const samples = new Float32Array(2);
  const value = { 'na\nme': ['a\r\nb', 1, null, true, { deep: '\u202e' }], samples };
  assert.deepEqual(tamed(value), { 'na me': ['a b', 1, null, true, { deep: '\\u202e' }], samples });
});

test('what is nested without end is cut off, and ends no stack', () => {
  const nested = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown;
  assert.deepEqual(tamed(nested(100)), nested(100));
  assert.equal(JSON.stringify(tamed(nested(100_000))).length, 204);
});
