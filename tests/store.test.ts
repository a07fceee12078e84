import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import type { RunRecord } from '../src/contract/run.ts';
import type { Verdict } from '../src/contract/verdict.ts';
import { sampleRun } from '../src/report/fixtures/sample-run.ts';
import { nightlyRuns } from '../src/store/fixtures/nightly.ts';
import { sampleComparison, sampleVerdict } from '../src/verdict/fixtures/sample-verdict.ts';
import { attnswap, emptyFolder, main } from './run-cli.ts';

/** A folder with these records, each under its name. */
function folderOf(records: Readonly<Record<string, RunRecord | Verdict>>): string {
  const cwd = emptyFolder();
  for (const [name, record] of Object.entries(records)) writeFileSync(join(cwd, name), JSON.stringify(record));
  return cwd;
}

/** A folder with nights of runs, in files and in the store. */
async function storeOf(options: Parameters<typeof nightlyRuns>[0]): Promise<{ cwd: string; files: string[] }> {
  const runs = nightlyRuns(options);
  const cwd = folderOf(Object.fromEntries(runs.map((run, night) => [`${night}.run.json`, run])));
  const files = runs.map((_, night) => `${night}.run.json`);
  const { exitCode, stderr } = await attnswap(['store', 'add', ...files, '--quiet'], { cwd });
  assert.equal(exitCode, 0, stderr);
  return { cwd, files };
}

test('records are added once, listed by id, and compared by it like files', async () => {
  const cwd = folderOf({
    'a.json': sampleRun({ lengths: [64] }),
    'b.json': { ...sampleRun({ lengths: [64], seed: 2, speed: 2 }), startedAt: '2026-03-03T00:00:00.000Z' },
    'gate.json': sampleVerdict([sampleComparison()]),
  });
  const first = await attnswap(['store', 'add', 'a.json', 'b.json', 'gate.json'], { cwd });
  assert.equal(first.exitCode, 0, first.stderr);
  assert.equal(first.stdout, '.attnswap: 3 records added (7 cells and comparisons)');
  const again = await attnswap(['store', 'add', 'a.json', 'gate.json'], { cwd });
  assert.equal(again.stdout, '.attnswap: 0 records added (0 cells and comparisons); 2 already there');
  const listed = await attnswap(['store', 'list'], { cwd });
  assert.match(listed.stdout, /^run +suite +started .*\nstore:[0-9a-f]{12} +sample +2026-02-03T04:05 +3 .*AMD Ryzen 9 7950X · 32 cores/);
  assert.match(listed.stdout, /gate lengths +2026-03-01T10:00 +pass +1$/);
  const ids = [...listed.stdout.matchAll(/store:[0-9a-f]+/g)].map(([id]) => id);
  const [stored, files] = await Promise.all([ids, ['a.json', 'b.json']].map((names) => attnswap(['compare', ...names, '--json'], { cwd })));
  assert.deepEqual(JSON.parse(stored!.stdout).rows, JSON.parse(files!.stdout).rows);
  const unknown = await attnswap(['compare', ids[0]!, 'store:ffff'], { cwd });
  assert.equal(unknown.exitCode, 5);
  assert.match(unknown.stderr, /store:ffff: 0 of 2 runs .*\n.*attnswap store list/);
});

test('history finds the same changes in the store as in the files, and names the two runs', async () => {
  const { cwd, files } = await storeOf({ nights: 12, stepAt: 7, lengths: [512] });
  const [stored, read] = await Promise.all([[], files].map((runs) => attnswap(['history', ...runs, '--json'], { cwd })));
  const [fromStore, fromFiles] = [stored, read].map((found) => JSON.parse(found!.stdout).series[0]);
  assert.equal(fromStore.changes.length, 3);
  const figures = ({ changes }: { changes: Array<Record<string, unknown>> }) =>
    changes.map(({ cell, beforeNs, afterNs, change }) => ({ cell, beforeNs, afterNs, change }));
  assert.deepEqual(figures(fromStore), figures(fromFiles));
  assert.match(fromFiles.changes[0].before, /^2026-01-07T02:00 6\.run\.json$/);
  assert.match(fromStore.changes[0].before, /^2026-01-07T02:00 store:[0-9a-f]{12}$/);
  assert.match(fromStore.changes[0].after, /^2026-01-08T02:00 store:/);
});

test('an empty store is said to be one', async () => {
  const cwd = emptyFolder();
  const [listed, history, queried] = await Promise.all(
    [['store', 'list'], ['history'], ['query', 'select count(*) as n from cells']].map((args) => attnswap(args, { cwd })),
  );
  assert.match(listed!.stdout, /\.attnswap has no records; add some with attnswap store add/);
  assert.equal(history!.exitCode, 5);
  assert.match(history!.stderr, /\.attnswap: no runs are stored there.*\n.*attnswap store add/);
  assert.equal(queried!.stdout, 'n\n0');
});

test('a query joins runs and cells, prints a table, and writes JSON and CSV', async () => {
  const { cwd } = await storeOf({ nights: 3, lengths: [64, 128] });
  const sql = `select name, keys, count(*) as nights, min(startedAt) as first, median(medianNs) as typical from cells join runs using (run)
    where variant = 'window' group by all order by keys`;
  const { exitCode, stdout, stderr } = await attnswap(['query', sql, '--out', 'rows.csv', '--out', 'rows.json'], { cwd });
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^name +keys +nights +first +typical\nwindow\.tiled +64 +3 +2026-01-01T02:00:00\.000Z/);
  const rows = JSON.parse(readFileSync(join(cwd, 'rows.json'), 'utf8'));
  assert.deepEqual(
    rows.map(({ name, keys, nights, first }: Record<string, unknown>) => ({ name, keys, nights, first })),
    [64, 128].map((keys) => ({ name: 'window.tiled', keys, nights: 3, first: '2026-01-01T02:00:00.000Z' })),
  );
  assert.ok(readFileSync(join(cwd, 'rows.csv'), 'utf8').startsWith('name,keys,nights,first,typical\nwindow.tiled,64,3,'));
});

test('an interrupted run that was resumed counts once in a query', async () => {
  const run = sampleRun({ lengths: [64] });
  const cwd = folderOf({ 'part.json': { ...run, complete: false, cells: run.cells.slice(0, 2) }, 'whole.json': run });
  await attnswap(['store', 'add', 'part.json'], { cwd });
  await attnswap(['store', 'add', 'whole.json'], { cwd });
  const { stdout } = await attnswap(
    ['query', 'select (select count(*) from runs) as runs, (select count(*) from cells) as cells', '--json'],
    { cwd },
  );
  assert.deepEqual(JSON.parse(stdout), [{ runs: 1, cells: 3 }]);
});

test(
  'Ctrl-C ends a query that would take for ever',
  { skip: process.platform === 'linux' ? false : 'only Linux tells what a process has loaded' },
  async () => {
    const { cwd } = await storeOf({ nights: 1, lengths: [64] });
    const sql = 'select count(*) from range(1000000000) a, range(1000000000) b where a.range + b.range = -1';
    const child = execa(process.execPath, [main, 'query', sql], { cwd, reject: false });
    // DuckDB is loaded after the command listens for signals.
    while (!readFileSync(`/proc/${child.pid}/maps`, 'utf8').includes('duckdb')) await setTimeout(20);
    await setTimeout(200);
    child.kill('SIGINT');
    assert.equal((await child).exitCode, 130);
  },
);

test('killed at any moment, an addition is whole or not there, and the next one completes it and leaves nothing behind', async () => {
  const cwd = emptyFolder();
  const files = nightlyRuns({ nights: 6, lengths: [64, 128, 256, 512], samples: 200 }).map((run, night) => {
    writeFileSync(join(cwd, `${night}.run.json`), JSON.stringify(run));
    return `${night}.run.json`;
  });
  mkdirSync(join(cwd, '.attnswap'));
  for (let attempt = 0; attempt < 6; attempt++) {
    const child = execa(process.execPath, [main, 'store', 'add', ...files], { cwd, reject: false });
    // From the first bytes of the draft on: before, there is nothing to lose.
    while (!existsSync(join(cwd, '.attnswap/records')) || readdirSync(join(cwd, '.attnswap/records')).length === 0) await setTimeout(1);
    await setTimeout(5 * attempt ** 2);
    child.kill('SIGKILL');
    await child;
    const { stdout } = await attnswap(['store', 'list', '--json'], { cwd });
    const { runs } = JSON.parse(stdout) as { runs: Array<{ id: string }> };
    assert.ok(runs.length === 0 || runs.length === 6, `${runs.length} of 6`);
    assert.equal(new Set(runs.map(({ id }) => id)).size, runs.length);
  }
  const { exitCode, stderr } = await attnswap(['store', 'add', ...files], { cwd });
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(readdirSync(join(cwd, '.attnswap/records')), ['000001']);
  assert.equal(JSON.parse((await attnswap(['store', 'list', '--json'], { cwd })).stdout).runs.length, 6);
});

test('figures of a run and a verdict are written for other tools; a record without any is refused', async () => {
  const cwd = folderOf({ 'a.run.json': sampleRun({ lengths: [64] }), 'gate.json': sampleVerdict([sampleComparison()]) });
  const endings = ['.openmetrics.txt', '.bmf.json', '.benchmark.json'];
  for (const [record, name] of [
    ['a.run.json', 'run'],
    ['gate.json', 'gate'],
  ] as const) {
    const { exitCode, stdout, stderr } = await attnswap(['report', record, ...endings.flatMap((ending) => ['--out', name + ending])], {
      cwd,
    });
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(
      stdout.split('\n'),
      endings.map((ending) => name + ending),
    );
  }
  assert.match(readFileSync(join(cwd, 'gate.openmetrics.txt'), 'utf8'), /^attnswap_latency_seconds\{record="lengths",.*\} 0\.0/m);
  assert.equal(JSON.parse(readFileSync(join(cwd, 'run.benchmark.json'), 'utf8'))[0].unit, 'ns');
});
