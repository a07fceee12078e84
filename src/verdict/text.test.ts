import assert from 'node:assert/strict';
import { test } from 'node:test';
import { untrustedTexts } from './fixtures/sample-verdict.ts';
import { oneLine, visible } from './text.ts';

test('hidden characters are written out, and only those', () => {
  assert.equal(visible('a\u202eb\u0000\u200f\ud800 \u{e0041} é 日本 😀 → ×'), 'a\\u202eb\\u0000\\u200f\\ud800 \\u{e0041} é 日本 😀 → ×');
  assert.equal(visible('a\nb\tc', '\n'), 'a\nb\\u0009c');
});

test('any text becomes one line without hidden characters', () => {
  for (const text of Object.values(untrustedTexts)) assert.doesNotMatch(oneLine(text), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  assert.equal(oneLine('  a\r\n\t b  '), 'a b');
});
