import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { sampleMigration } from '../src/report/fixtures/sample-migration.ts';
import { sampleRun } from '../src/report/fixtures/sample-run.ts';
import { sampleComparison, sampleVerdict, sampleWithoutFigures } from '../src/verdict/fixtures/sample-verdict.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

/** A folder that holds one file. */
function folderWith(name: string, value: unknown): string {
  const cwd = emptyFolder();
  writeFileSync(join(cwd, name), typeof value === 'string' ? value : JSON.stringify(value));
  return cwd;
}

test('a run becomes a page under reports/, and says its answer', async () => {
  const cwd = folderWith('lengths.run.json', sampleRun());
  const { exitCode, stdout, stderr } = await attnswap(['report', 'lengths.run.json'], { cwd });
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout, join('reports', 'lengths.html'));
  assert.match(stderr, /At 2048 tokens, \S+ is the fastest of 3 kernels/);
  assert.match(readFileSync(join(cwd, stdout), 'utf8'), /^<!doctype html>/);
});

test('every format is written beside the others, and its name printed', async () => {
  const cwd = folderWith('a.json', sampleRun());
  const { exitCode, stdout, stderr } = await attnswap(
    ['report', 'a.json', '--out', 'out/b.html', '--format', 'html,md,csv,json,svg,png', '--quiet'],
    { cwd },
  );
  assert.equal(exitCode, 0, stderr);
  assert.equal(stderr, '');
  const files = stdout.split('\n');
  for (const file of files) assert.ok(existsSync(join(cwd, file)), file);
  for (const name of ['b.html', 'b.md', 'b.csv', 'b.report.json']) assert.ok(files.includes(join('out', name)), name);
  const pictures = readdirSync(join(cwd, 'out/b.charts'));
  assert.equal(pictures.filter((name) => name.endsWith('.svg')).length, pictures.filter((name) => name.endsWith('.png')).length);
  assert.ok(pictures.includes('latency-1.png'));
  const rows = parse(readFileSync(join(cwd, 'out/b.csv')), { columns: true }) as Array<Record<string, string>>;
  assert.equal(rows.length, 9);
  assert.equal(rows[0]!['variant'], 'dense.fused');
  const markdown = readFileSync(join(cwd, 'out/b.md'), 'utf8');
  assert.match(markdown, /^# Run of the suite sample/);
  assert.match(markdown, /\| <code>dense\.fused<\/code> \|/);
});

test('--json prints the report itself, with every chart’s specification', async () => {
  const cwd = folderWith('v.json', sampleVerdict([sampleComparison()]));
  const { exitCode, stdout } = await attnswap(['report', 'v.json', '--json'], { cwd });
  assert.equal(exitCode, 0);
  const report = JSON.parse(stdout) as {
    schema: string;
    kind: string;
    sections: Array<{ parts: Array<{ kind: string; spec?: { $schema: string } }> }>;
  };
  assert.deepEqual([report.schema, report.kind], ['attnswap.report/1', 'gate']);
  const charts = report.sections.flatMap(({ parts }) => parts.filter(({ kind }) => kind === 'chart'));
  assert.ok(charts.length >= 2);
  for (const { spec } of charts) assert.match(spec!.$schema, /vega-lite/);
});

const lessThanWhole: ReadonlyArray<[what: string, value: unknown, says: RegExp]> = [
  [
    'a partial run',
    { ...sampleRun(), complete: false, endedAt: null, cells: sampleRun().cells.slice(0, 2) },
    /Partial: 7 of 9 declared cells were not measured/,
  ],
  ['a run without a cell', { ...sampleRun(), complete: false, endedAt: null, cells: [] }, /Nothing was measured/],
  [
    'a run whose cells failed',
    { ...sampleRun(), cells: sampleRun().cells.map((cell) => ({ ...cell, status: 'failed', reason: 'out of memory' })) },
    /9 of 9 cells: failed\. .*out of memory/,
  ],
  [
    'an incomparable verdict',
    sampleVerdict([sampleWithoutFigures({ outcome: 'incomparable', reason: 'another host' })], { outcome: 'incomparable', exitCode: 4 }),
    /Incomparable: the base was measured on another host/,
  ],
  [
    'an incomplete verdict',
    sampleVerdict([sampleWithoutFigures({ outcome: 'incomplete', reason: 'vanished' })], { outcome: 'incomplete', exitCode: 3 }),
    /Incomplete: some declared comparisons could not be measured/,
  ],
  ['a verdict of nothing', sampleVerdict([], { outcome: 'incomplete', exitCode: 3 }), /Nothing was compared/],
];
for (const [what, value, says] of lessThanWhole) {
  test(`${what} says so at the top, and shows what there is`, async () => {
    const cwd = folderWith('given.json', value);
    const { exitCode, stderr } = await attnswap(['report', 'given.json', '--out', 'r.html'], { cwd });
    assert.equal(exitCode, 0, stderr);
    const page = readFileSync(join(cwd, 'r.html'), 'utf8');
    assert.match(page.slice(page.indexOf('<header>'), page.indexOf('</header>')), says);
  });
}

/** A migration's folder. */
function migrationFolder(record: unknown, steps: Record<string, unknown>): string {
  const cwd = emptyFolder();
  mkdirSync(join(cwd, 'm'));
  const subject = { files: {}, settings: {}, host: 'x' };
  writeFileSync(
    join(cwd, 'm/migration.json'),
    JSON.stringify({ schema: 'attnswap.migration/1', subject, startedAt: '2026-01-01T00:00:00.000Z', steps }),
  );
  if (record !== undefined) writeFileSync(join(cwd, 'm/record.json'), JSON.stringify(record));
  return cwd;
}

test('a migration is told from its folder, or either of its files', async () => {
  const cwd = migrationFolder(sampleMigration(), { one: 1 });
  for (const path of ['m', 'm/migration.json', 'm/record.json']) {
    const { exitCode, stderr } = await attnswap(['report', path, '--out', 'm.html', '--out', 'm.md', '--out', 'm.csv'], { cwd });
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /^Adopt dense\.fused\. Peak memory at 512 tokens fell/);
  }
});

test('an interrupted migration says so, and shows the comparisons that it has', async () => {
  const steps = { 'baseline/memory/512': { bytes: 5 }, 'latency/x/512': sampleComparison(), odd: ['<b>'] };
  const none = migrationFolder(undefined, steps);
  const { exitCode, stderr } = await attnswap(['report', 'm', '--out', 'm.html', '--out', 'm.csv'], { cwd: none });
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /Not finished: no verdict yet\. 3 steps were completed, the last one odd/);
  assert.match(readFileSync(join(none, 'm.html'), 'utf8'), /Partial: the migration was interrupted/);
  assert.equal((parse(readFileSync(join(none, 'm.csv')), { columns: true }) as unknown[]).length, 1);
  const more = migrationFolder(sampleMigration(), { one: 1, two: 2 });
  await attnswap(['report', 'm', '--out', 'm.html'], { cwd: more });
  assert.match(
    readFileSync(join(more, 'm.html'), 'utf8'),
    /Partial: the migration was continued after this record was written and has not finished\. 1 steps/,
  );
});

const refused: ReadonlyArray<[what: string, value: unknown, says: RegExp]> = [
  ['an empty file', '', /not JSON[\s\S]*INVALID_REPORT/],
  ['a truncated record', JSON.stringify(sampleRun()).slice(0, 2000), /not JSON[\s\S]*INVALID_REPORT/],
  [
    'a run of an older schema',
    { ...sampleRun(), schema: 'attnswap.run/0' },
    /schema is "attnswap\.run\/0", expected "attnswap\.run\/1"[\s\S]*INVALID_RUN/,
  ],
  [
    'a verdict of a later schema',
    { ...sampleVerdict([]), schema: 'attnswap.verdict/2' },
    /schema is "attnswap\.verdict\/2", expected attnswap\.run\/1[\s\S]*INVALID_REPORT/,
  ],
  ['something else', { hello: 1 }, /schema is "none"[\s\S]*INVALID_REPORT/],
  ['null', null, /schema is "none"[\s\S]*INVALID_REPORT/],
  [
    'a run with a negative latency',
    { ...sampleRun(), cells: [{ ...sampleRun().cells[0]!, latency: { ...sampleRun().cells[0]!.latency!, medianNs: -1 } }] },
    /cells\.0\.latency\.medianNs[\s\S]*INVALID_RUN/,
  ],
];
for (const [what, value, says] of refused) {
  test(`${what} is refused by name, with exit 5, and writes nothing`, async () => {
    const cwd = folderWith('given.json', value);
    const { exitCode, stderr } = await attnswap(['report', 'given.json'], { cwd });
    assert.equal(exitCode, 5);
    assert.match(stderr, says);
    assert.ok(!existsSync(join(cwd, 'reports')));
  });
}

test('a spoilt migration names the field', async () => {
  const cwd = migrationFolder({ ...sampleMigration(), verdict: 'maybe' }, {});
  const { exitCode, stderr } = await attnswap(['report', 'm'], { cwd });
  assert.equal(exitCode, 5);
  assert.match(stderr, /record\.json: verdict: [\s\S]*INVALID_MIGRATION/);
});

test('a missing file, an unknown format and a place that cannot be written are exit 5', async () => {
  const cwd = folderWith('a.json', sampleRun());
  writeFileSync(join(cwd, 'file'), '');
  assert.match((await attnswap(['report', 'absent.json'], { cwd })).stderr, /absent\.json[\s\S]*FILE_UNREADABLE/);
  const folder = await attnswap(['report', '.'], { cwd });
  assert.equal(folder.exitCode, 5);
  assert.match(folder.stderr, /a folder without journal\.json[\s\S]*INVALID_REPORT/);
  const format = await attnswap(['report', 'a.json', '--format', 'pdf'], { cwd });
  assert.deepEqual([format.exitCode, /expected some of html, md, csv/.test(format.stderr)], [5, true]);
  const place = await attnswap(['report', 'a.json', '--out', 'file/r.html'], { cwd });
  assert.equal(place.exitCode, 5);
  assert.match(place.stderr, /FILE_UNWRITABLE/);
});
