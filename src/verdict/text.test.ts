import assert from 'node:assert/strict';
import { test } from 'node:test';
import { untrustedTexts } from './fixtures/sample-verdict.ts';
import { clip, oneLine, shorten, visible, wrap } from './text.ts';

test('hidden characters are written out, and only those', () => {
  assert.equal(visible('a\u202eb\u0000\u200f\ud800 \u{e0041} é 日本 😀 → ×'), 'a\\u202eb\\u0000\\u200f\\ud800 \\u{e0041} é 日本 😀 → ×');
  assert.equal(visible('a\nb\tc', '\n'), 'a\nb\\u0009c');
});

test('any text becomes one line without hidden characters', () => {
  for (const text of Object.values(untrustedTexts)) assert.doesNotMatch(oneLine(text), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  assert.equal(oneLine('  a\r\n\t b  '), 'a b');
});

test('a cut leaves no half of a character', () => {
  for (let most = 2; most < 9; most++) {
    for (const cut of [clip('😀😀😀😀😀', most), shorten('😀😀😀😀😀', most)]) {
      assert.ok(cut.length <= most);
      assert.ok(cut.isWellFormed());
    }
  }
  assert.equal(clip('abcdef', 4), 'abc…');
  assert.equal(shorten('abcdef', 4), 'ab…f');
  assert.equal(clip('abc', 3), 'abc');
});

test('wrapped lines keep the width and every character', () => {
  for (const text of Object.values(untrustedTexts).map(oneLine)) {
    const lines = wrap(text, 40);
    assert.ok(lines.every((line) => line.length <= 40));
    assert.equal(lines.join('').replaceAll(' ', ''), text.replaceAll(' ', ''));
  }
});
