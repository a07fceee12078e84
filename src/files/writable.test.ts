import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { requireTemporaryFolder } from '../processes/temporary.ts';
import { requireWritableFile, requireWritableFolder, tryWriting } from './writable.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-writable-'));
const refused = { code: 'FILE_UNWRITABLE' };

test('a place that can be written is left as it was, but for its folder', async () => {
  await requireWritableFile(join(folder, 'new/run.json'));
  assert.deepEqual(readdirSync(join(folder, 'new')), []);
  writeFileSync(join(folder, 'old.json'), 'kept');
  await requireWritableFile(join(folder, 'old.json'));
  await requireWritableFolder(join(folder, 'state'));
  assert.ok(existsSync(join(folder, 'state')));
});

test('trying to write shows no file at any moment: a kill would leave it', async () => {
  const empty = mkdtempSync(join(folder, 'empty-'));
  let tried = false;
  const trying = tryWriting(empty).finally(() => (tried = true));
  do {
    assert.deepEqual(readdirSync(empty), []);
    await setImmediate();
  } while (!tried);
  await trying;
});

test('a folder instead of a file, a file instead of a folder, and a place that takes no files are refused by name', async () => {
  mkdirSync(join(folder, 'is-folder'));
  await assert.rejects(requireWritableFile(join(folder, 'is-folder')), { ...refused, message: /is-folder: .*it is a folder/ });
  writeFileSync(join(folder, 'is-file'), '');
  await assert.rejects(requireWritableFile(join(folder, 'is-file/run.json')), { ...refused, message: /is-file\/run\.json/ });
  await assert.rejects(requireWritableFolder('/proc/attnswap'), { ...refused, message: /\/proc\/attnswap/ });
});

test('a temporary folder that is missing is said, with the way out', async () => {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = join(folder, 'nowhere');
  try {
    await assert.rejects(requireTemporaryFolder(), {
      ...refused,
      message: /the temporary folder .*nowhere cannot be used/,
      hint: /TMPDIR=/,
    });
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
  await requireTemporaryFolder();
});
