import assert from 'node:assert/strict';
import { test } from 'node:test';
import { untrustedTexts } from '../verdict/fixtures/sample-verdict.ts';
import { oneLine } from './untrusted.ts';
import { clip, shorten, wrap, wrapped } from './layout.ts';

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

test('text breaks at spaces, never before %, and goes on indented', () => {
  const text = `${'a'.repeat(96)} 13 % of it`;
  assert.deepEqual(wrapped(text).split('\n'), ['a'.repeat(96), '  13 % of it']);
  assert.deepEqual(wrapped(text, '  ').split('\n'), [`  ${'a'.repeat(96)}`, '    13 % of it']);
  assert.equal(wrapped('x'.repeat(120)), 'x'.repeat(120));
});
