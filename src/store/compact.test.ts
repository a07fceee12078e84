import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { sampleComparison, sampleVerdict } from '../verdict/fixtures/sample-verdict.ts';
import { addRecords } from './add.ts';
import { compactStore } from './compact.ts';
import { nightlyRuns } from './fixtures/nightly.ts';
import { compactedName, partsOf, recordsFolder } from './parts.ts';
import { queryStore } from './query.ts';
import { runOf, storedRuns, storedVerdicts } from './read.ts';

const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const runs = nightlyRuns({ nights: 4, lengths: [64, 128] });
const state = { ...runs[0]!, complete: false, endedAt: null, cells: runs[0]!.cells.slice(0, 2) };
const verdict = sampleVerdict([sampleComparison()]);

/** A store with a part for each record: a run in two states, three other runs and a verdict. */
async function scattered(): Promise<{ store: string; files: string[] }> {
  const store = mkdtempSync(join(tmpdir(), 'attnswap-compact-'));
  folders.push(store);
  const files = [state, ...runs, verdict].map((record, index) => {
    const file = join(store, `${index}.json`);
    writeFileSync(file, JSON.stringify(record));
    return file;
  });
  for (const file of files) await addRecords(store, [file]);
  return { store, files };
}

/** All that readers find. */
async function contents(store: string) {
  const found = await storedRuns(store);
  const { rows } = await queryStore(store, 'select run, cell, medianNs from cells order by all');
  return {
    runs: found.map((run) => ({ ...run, at: undefined })),
    records: await Promise.all(found.map(runOf)),
    verdicts: await storedVerdicts(store),
    rows,
  };
}

test('the parts become one, with the same records for every reader; the joined ones go with the next compaction', async () => {
  const { store, files } = await scattered();
  const before = await contents(store);
  assert.deepEqual(await compactStore(store), { joined: 6, removed: 0 });
  assert.deepEqual(await partsOf(store), [join(recordsFolder(store), '000007')]);
  assert.deepEqual(await contents(store), before);
  const again = await addRecords(store, files);
  assert.ok(
    again.every(({ outcome }) => outcome === 'known'),
    JSON.stringify(again),
  );
  assert.equal(readdirSync(recordsFolder(store)).length, 7);
  assert.deepEqual(await compactStore(store), { joined: 0, removed: 6 });
  assert.deepEqual(readdirSync(recordsFolder(store)), ['000007']);
  assert.deepEqual(await contents(store), before);
});

test('a state that is added after its run was joined is still superseded, and a later one still replaces it', async () => {
  const { store } = await scattered();
  await compactStore(store);
  const write = (name: string, record: unknown) => {
    const file = join(store, name);
    writeFileSync(file, JSON.stringify(record));
    return file;
  };
  const older = { ...state, cells: state.cells.slice(0, 1) };
  assert.equal((await addRecords(store, [write('older.json', older)]))[0]!.outcome, 'superseded');
  const [added] = await addRecords(store, [write('other.json', { ...runs[3]!, startedAt: '2027-01-01T00:00:00.000Z' })]);
  assert.equal(added!.outcome, 'added');
  assert.equal((await storedRuns(store)).length, 5);
  assert.deepEqual(await compactStore(store), { joined: 2, removed: 6 });
  assert.equal((await storedRuns(store)).length, 5);
});

test('additions and compactions at once lose nothing and store nothing twice', async () => {
  const { store } = await scattered();
  const more = nightlyRuns({ nights: 3, lengths: [64], seed: 9 }).map((record, index) => {
    const file = join(store, `more${index}.json`);
    writeFileSync(file, JSON.stringify({ ...record, startedAt: `2027-02-0${index + 1}T00:00:00.000Z` }));
    return file;
  });
  await Promise.all([compactStore(store), ...more.map((file) => addRecords(store, [file])), compactStore(store)]);
  const { runs: found, rows, verdicts } = await contents(store);
  assert.deepEqual([found.length, verdicts.length], [7, 1]);
  assert.equal(new Set(found.map(({ id }) => id)).size, 7);
  assert.equal(new Set(rows.map(String)).size, rows.length);
});

test('one that is interrupted leaves the store as it was', async () => {
  const { store } = await scattered();
  const before = await contents(store);
  await assert.rejects(compactStore(store, AbortSignal.abort(new Error('stopped'))), /stopped/);
  assert.equal(readdirSync(recordsFolder(store)).length, 6);
  assert.deepEqual(await contents(store), before);
});

test('a part that names itself or a later one is refused: nothing of it is removed', async () => {
  const { store } = await scattered();
  for (const number of [2, 3]) {
    writeFileSync(join(recordsFolder(store), '000002', compactedName), JSON.stringify([1, number]));
    await assert.rejects(compactStore(store), { code: 'INVALID_STORE', message: new RegExp(`names part ${number}`) });
  }
  assert.equal(readdirSync(recordsFolder(store)).length, 6);
});

test('where joined parts cannot be removed, that is said, and what was joined stays', async (t) => {
  const { store, files } = await scattered();
  await compactStore(store);
  const { rm } = promises;
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const fault = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES', syscall: 'rm' });
  t.mock.method(promises, 'rm', (...args: Parameters<typeof rm>) => (/\d{6}$/.test(String(args[0])) ? Promise.reject(fault) : rm(...args)));
  syncBuiltinESMExports();
  const says = { code: 'FILE_UNWRITABLE', message: /parts that were joined before could not be removed/ };
  await assert.rejects(compactStore(store), says);
  const changed = join(store, 'changed.json');
  writeFileSync(changed, JSON.stringify({ ...runs[0]!, startedAt: '2027-01-01T00:00:00.000Z' }));
  await addRecords(store, [changed]);
  await assert.rejects(compactStore(store), says);
  assert.deepEqual(await partsOf(store), [join(recordsFolder(store), '000009')]);
  assert.equal((await addRecords(store, files))[0]!.outcome, 'known');
});
