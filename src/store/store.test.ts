import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { RunRecord } from '../contract/run.ts';
import { sampleRun } from '../report/fixtures/sample-run.ts';
import { sampleComparison, sampleVerdict } from '../verdict/fixtures/sample-verdict.ts';
import { addRecords } from './add.ts';
import { nightlyRuns } from './fixtures/nightly.ts';
import { partsOf, recordsFolder, tableFile } from './parts.ts';
import { loadStoredRun, mediansOf, runOf, storedName, storedRuns, storedVerdicts } from './read.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let made = 0;
const emptyStore = () => join(folder, `store-${made++}`);
/** Writes a record to a file. */
function fileOf(record: unknown, space = 0): string {
  const file = join(folder, `record-${made++}.json`);
  writeFileSync(file, JSON.stringify(record, null, space));
  return file;
}
const outcomesOf = async (store: string, files: readonly string[]) => (await addRecords(store, files)).map(({ outcome }) => outcome);

test('what was added comes back as it was, fields of later versions too', async () => {
  const store = emptyStore();
  const run = sampleRun({ lengths: [64, 128] });
  const odd = { ...run.cells[0]!, latency: undefined, memory: undefined, work: undefined, error: undefined, waste: undefined };
  const cells = [
    ...run.cells,
    { ...odd, id: 'a cell — “odd”\u0000\ud83d\ude00', status: 'failed', reason: 'line\nline', seed: 2 ** 53 - 1 },
  ];
  const later = { ...run, laterField: { deep: [1, null] }, cells: cells.map((cell) => ({ ...cell, laterToo: true })) };
  const verdict = sampleVerdict([sampleComparison(), sampleComparison({ metric: 'error', effect: null, base: null })]);
  await addRecords(store, [fileOf(later), fileOf(verdict)]);
  const [stored] = await storedRuns(store);
  assert.deepEqual(await runOf(stored!), { ...run, cells: JSON.parse(JSON.stringify(cells)) });
  assert.deepEqual(JSON.parse(stored!.at.json), { ...JSON.parse(JSON.stringify(later)), cells: [] });
  assert.equal(stored!.startedAt, run.startedAt);
  assert.deepEqual(
    (await storedVerdicts(store)).map((each) => each.verdict),
    [JSON.parse(JSON.stringify(verdict))],
  );
  assert.deepEqual(await loadStoredRun(store, storedName(stored!.id)), await runOf(stored!));
});

test('the same content is there once, whatever its file and white space; another run of the same suite is another', async () => {
  const store = emptyStore();
  const [first, second] = nightlyRuns({ nights: 2, lengths: [64] });
  const verdict = sampleVerdict([sampleComparison()]);
  assert.deepEqual(await outcomesOf(store, [fileOf(first), fileOf(first, 1), fileOf(verdict)]), ['added', 'known', 'added']);
  assert.deepEqual(await outcomesOf(store, [fileOf(first, 2), fileOf(verdict, 1), fileOf(second)]), ['known', 'known', 'added']);
  assert.deepEqual(await outcomesOf(store, [fileOf(first)]), ['known']);
  assert.equal((await storedRuns(store)).length, 2);
  assert.equal((await partsOf(store)).length, 2, 'an addition of nothing new leaves no part');
});

/** A run as it stood after so many cells. */
function stopped(run: RunRecord, cells: number): RunRecord {
  return { ...run, complete: false, endedAt: null, cells: run.cells.slice(0, cells) };
}

test('a damaged part is refused by name; one from before there were checksums is read', async () => {
  const store = emptyStore();
  await addRecords(store, [fileOf(sampleRun({ lengths: [64] }))]);
  const [part] = await partsOf(store);
  const [stored] = await storedRuns(store);
  writeFileSync(join(part!, 'sha256.json'), JSON.stringify({ 'cells.parquet': '0' }));
  await assert.rejects(runOf(stored!), {
    code: 'INVALID_STORE',
    message: /cells\.parquet: cannot be read as a file of the store: its SHA-256/,
  });
  rmSync(join(part!, 'sha256.json'));
  assert.equal((await runOf(stored!)).suite.name, 'sample');
});

test('a resumed run takes the place of its earlier states, in whichever order and call they come', async () => {
  const run = sampleRun({ lengths: [64] });
  const [one, two, all] = [fileOf(stopped(run, 1)), fileOf(stopped(run, 2)), fileOf(run)];
  for (const calls of [[[one], [two], [all]], [[one, two, all]], [[all, two], [one]], [[two], [one, all]]]) {
    const store = emptyStore();
    for (const files of calls) await addRecords(store, files);
    const runs = await storedRuns(store);
    assert.deepEqual(
      runs.map(({ cells, complete }) => [cells, complete]),
      [[3, true]],
      JSON.stringify(calls),
    );
    assert.deepEqual(await runOf(runs[0]!), run);
  }
});

test('runs of equal machines that began in the same millisecond are both kept', async () => {
  const store = emptyStore();
  const [a, b] = [sampleRun({ lengths: [64], seed: 1 }), sampleRun({ lengths: [64], seed: 2 })];
  assert.deepEqual(await outcomesOf(store, [fileOf(a), fileOf(b)]), ['added', 'added']);
  assert.deepEqual(await outcomesOf(store, [fileOf(stopped(b, 1))]), ['superseded']);
  assert.equal((await storedRuns(store)).length, 2);
});

const damaged: Readonly<Record<string, { readonly file: () => string; readonly code: string }>> = {
  'half a file': { file: () => fileOf('x'), code: 'INVALID_STORE' },
  'no record': { file: () => fileOf({ schema: 'attnswap.baseline/1' }), code: 'INVALID_STORE' },
  'a run of another version': { file: () => fileOf({ schema: 'attnswap.run/2', cells: [] }), code: 'INVALID_RUN' },
  'a run whose last cell is damaged': {
    file: () => {
      const run = sampleRun({ lengths: [64] });
      return fileOf({ ...run, cells: [...run.cells.slice(1), { ...run.cells[0], seed: -1 }] });
    },
    code: 'INVALID_RUN',
  },
  'a verdict without an outcome': { file: () => fileOf({ ...sampleVerdict([]), outcome: 'maybe' }), code: 'INVALID_VERDICT' },
  'no file': { file: () => join(folder, 'missing.json'), code: 'FILE_UNREADABLE' },
};

for (const [name, { file, code }] of Object.entries(damaged)) {
  test(`nothing is added where one of the files is ${name}, and the error names it`, async () => {
    const store = emptyStore();
    const bad = file();
    await addRecords(store, [fileOf(sampleRun({ lengths: [64] }))]);
    await assert.rejects(addRecords(store, [fileOf(sampleRun({ lengths: [128] })), bad]), (error: Error & { code: string }) => {
      assert.equal(error.code, code);
      assert.ok(error.message.includes(bad), error.message);
      return true;
    });
    assert.equal((await storedRuns(store)).length, 1);
    assert.deepEqual(readdirSync(recordsFolder(store)), ['000001'], 'nothing is left of the attempt');
  });
}

test('many at once: every record is there once, and every part has its own number', async () => {
  const store = emptyStore();
  const files = nightlyRuns({ nights: 8, lengths: [64] }).map((run) => fileOf(run));
  const added = await Promise.all([0, 1, 2, 3].map((start) => addRecords(store, files.slice(start, start + 5))));
  const runs = await storedRuns(store);
  assert.equal(runs.length, 8);
  assert.equal(new Set(runs.map(({ id }) => id)).size, 8);
  assert.equal(added.flat().filter(({ outcome }) => outcome === 'added').length, 8);
  assert.deepEqual(
    readdirSync(recordsFolder(store)).filter((name) => !/^\d{6}$/.test(name)),
    [],
  );
});

test('a signal ends an addition between two files, and nothing is added', async () => {
  const store = emptyStore();
  const abort = new AbortController();
  const files = nightlyRuns({ nights: 3, lengths: [64] }).map((run) => fileOf(run));
  const onFile = (_: string, done: number) => done === 1 && abort.abort(new Error('stop'));
  await assert.rejects(addRecords(store, files, { signal: abort.signal, onFile }), /stop/);
  assert.deepEqual(readdirSync(recordsFolder(store)), []);
});

for (const [what, damage] of Object.entries({
  'is cut short': (file: string) => truncateSync(file, 100),
  'is empty': (file: string) => truncateSync(file, 0),
  'is missing': (file: string) => rmSync(file),
})) {
  test(`a table that ${what} is an error that names its file`, async () => {
    const store = emptyStore();
    await addRecords(store, [fileOf(sampleRun({ lengths: [64] }))]);
    const runs = await storedRuns(store);
    const file = tableFile((await partsOf(store))[0]!, 'cells');
    damage(file);
    for (const reading of [() => mediansOf(runs), () => runOf(runs[0]!)]) {
      await assert.rejects(reading(), (error: Error & { code: string }) => error.code === 'INVALID_STORE' && error.message.includes(file));
    }
  });
}

test('of several thousand cells, each run gets its own', async () => {
  const store = emptyStore();
  const runs = nightlyRuns({ nights: 4, lengths: [64], samples: 2 }).map((run, night) => {
    const cells = Array.from({ length: 1500 }, (__, index) => {
      const { waste: _waste, ...cell } = run.cells[index % 3]!;
      return { ...cell, id: `${cell.id} ${index}`, latency: { ...cell.latency!, medianNs: 1 + 1500 * night + index } };
    });
    return { ...run, cells };
  });
  await addRecords(
    store,
    runs.map((run) => fileOf(run)),
  );
  const stored = await storedRuns(store);
  const medians = await mediansOf(stored);
  for (const [night, run] of runs.entries()) {
    const back = await runOf(stored[night]!);
    assert.equal(back.cells.length, 1500);
    for (const index of [0, 700, 1499]) {
      assert.deepEqual(back.cells[index], run.cells[index]);
      assert.equal(medians[night]!.get(run.cells[index]!.id), 1 + 1500 * night + index);
    }
  }
});

const noNamespace =
  spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0
    ? false
    : 'no mount namespace of its own can be had here';

test('a full disk: the error says so, and what was there before is there still', { skip: noNamespace }, () => {
  const store = emptyStore();
  const large = fileOf(sampleRun({ lengths: Array.from({ length: 300 }, (_, index) => 64 + index), samples: 100 }));
  const main = new URL('../cli/attnswap.js', import.meta.url).pathname;
  const script = `mkdir -p "$2" && mount -t tmpfs -o size=400k none "$2" || exit 77
    "$0" "$1" store add "$3" --store "$2"; echo "first $?"
    "$0" "$1" store add "$4" --store "$2"; echo "second $?"
    "$0" "$1" store list --store "$2" --json; ls "$2/records"`;
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['-rm', 'bash', '-c', script, process.execPath, main, store, fileOf(sampleRun({ lengths: [64] })), large],
    {
      encoding: 'utf8',
    },
  );
  assert.match(stdout, /first 0\nsecond 5\n/, stderr);
  assert.match(stderr, /nothing was added: no space left on device.*\[FILE_UNWRITABLE\]\n\s*hint: free some space/);
  assert.match(stdout, /"cells": 3,/);
  assert.match(stdout, /\n000001\n$/);
});
