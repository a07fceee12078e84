import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { adapters } from '../../adapters/index.ts';
import { codeDigest, digestOf, isOwnModule } from './own-code.ts';

test('only modules of src and adapters are attnswap’s own', () => {
  for (const { module } of adapters) assert.ok(isOwnModule(module), module);
  const own = adapters[0]!.module;
  const root = new URL('../../', import.meta.url);
  for (const other of [
    `${own}?mine`,
    new URL('examples/adapter.mjs', root).href,
    new URL('node_modules/mine/adapter.js', root).href,
    new URL('srcs/adapter.ts', root).href,
    `${new URL('src/', root).href}../mine.ts`,
    pathToFileURL(join(tmpdir(), 'src', 'adapter.ts')).href,
    'data:text/javascript,export const adapter = {}',
  ])
    assert.ok(!isOwnModule(other), other);
});

test('the digest is of the names and the content of all code, and of no test', async () => {
  assert.match(await codeDigest(), /^[0-9a-f]{64}$/);
  assert.equal(await codeDigest(), await digestOf(new URL('../../', import.meta.url)));
  const root = mkdtempSync(join(tmpdir(), 'code-'));
  for (const folder of ['src/deep', 'adapters', 'docs']) mkdirSync(join(root, folder), { recursive: true });
  const digestWith = async (name: string, text: string) => {
    writeFileSync(join(root, name), text);
    return digestOf(pathToFileURL(`${root}/`));
  };
  const seen = [await digestWith('src/deep/a.ts', '1')];
  for (const [name, text] of [
    ['src/deep/a.ts', '2'],
    ['adapters/b.py', ''],
    ['adapters/b.py', 'x'],
    ['src/c.js', ''],
  ] as const)
    seen.push(await digestWith(name, text));
  assert.equal(new Set(seen).size, seen.length);
  for (const name of ['src/deep/a.test.ts', 'src/types.d.ts', 'docs/d.ts', 'adapters/b.pyc'])
    assert.equal(await digestWith(name, name), seen.at(-1), name);
});
