import assert from 'node:assert/strict';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunRecord } from '../src/contract/run.ts';
import { sampleRun } from '../src/report/fixtures/sample-run.ts';
import { attnswap, emptyFolder } from './run-cli.ts';

/** A folder with these records, each under its name. */
function folderOf(records: Readonly<Record<string, RunRecord>>): string {
  const cwd = emptyFolder();
  for (const [name, record] of Object.entries(records)) writeFileSync(join(cwd, name), JSON.stringify(record));
  return cwd;
}

const shape = { variants: ['dense.fused', 'window.tiled'], lengths: [64, 128] };

test('two records of the same cells stand side by side in 100 columns, what differs first, and exit 0', async () => {
  const cwd = folderOf({ 'a.json': sampleRun(shape), 'b.json': sampleRun({ ...shape, seed: 2, speed: 2, versions: { node: '22.18.0' } }) });
  const { exitCode, stdout, stderr } = await attnswap(['compare', 'a.json', 'b.json', '--csv', 'both.csv'], { cwd });
  assert.equal(exitCode, 0, stderr);
  assert.ok(stdout.startsWith('What differs: version of node;'), stdout);
  assert.match(stdout, /version of node: a\.json: 24\.21\.0 \| b\.json: 22\.18\.0/);
  assert.match(stdout, /dense\.fused .* 0\.(49|5)\d*× \[/);
  assert.match(stdout, /b\.json takes 0\.\d+× the time of a\.json in the geometric mean over 4 shared\s+cells/);
  assert.ok(stdout.split('\n').every((line) => line.length <= 100));
  const [header, ...rows] = readFileSync(join(cwd, 'both.csv'), 'utf8').trim().split('\n');
  assert.ok(header!.startsWith('column,source,backend,kernel,batch,'));
  assert.equal(rows.length, 8);
});

test('--json prints the comparison and nothing else', async () => {
  const cwd = folderOf({ 'a.json': sampleRun(shape), 'b.json': sampleRun(shape) });
  const { exitCode, stdout } = await attnswap(['compare', 'a.json', 'b.json', '--json', '--quiet'], { cwd });
  const comparison = JSON.parse(stdout);
  assert.equal(exitCode, 0);
  assert.equal(comparison.schema, 'attnswap.comparison/1');
  assert.equal(comparison.rows.length, 4);
  assert.equal(comparison.rows[0].cells[1].ratio.value, 1);
});

test('cells that one record lacks are listed, and exit 3', async () => {
  const cwd = folderOf({ 'a.json': sampleRun(shape), 'b.json': sampleRun({ ...shape, lengths: [64] }) });
  const { exitCode, stdout } = await attnswap(['compare', 'a.json', 'b.json'], { cwd });
  assert.equal(exitCode, 3);
  assert.match(stdout, /missing in b\.json: 2 cells absent: dense\.fused \(128 tokens/);
});

test('an incomplete record is exit 3, and said', async () => {
  const run = sampleRun(shape);
  const cwd = folderOf({ 'a.json': run, 'b.json': { ...run, complete: false, declared: [...run.declared, 'another'] } });
  const { exitCode, stdout } = await attnswap(['compare', 'a.json', 'b.json'], { cwd });
  assert.equal(exitCode, 3);
  assert.match(stdout, /b\.json is incomplete: 1 of 5 declared cells/);
});

test('records that share no cell are exit 4, and the error names the fields that differ', async () => {
  const wide = sampleRun({ ...shape, lengths: [640] });
  const cells = wide.cells.map((cell) => ({ ...cell, shape: { ...cell.shape, heads: 12, kvHeads: 12 } }));
  const cwd = folderOf({ 'a.json': sampleRun({ ...shape, lengths: [512] }), 'b.json': { ...wide, cells } });
  const { exitCode, stderr } = await attnswap(['compare', 'a.json', 'b.json', '--quiet'], { cwd });
  assert.equal(exitCode, 4);
  assert.match(stderr, /nothing to compare.*heads 8 against 12; length 512 against 640/);
});

test('one file alone, and the same file twice by any name, are mistakes of use with a hint', async () => {
  const cwd = folderOf({ 'a.json': sampleRun(shape) });
  symlinkSync('a.json', join(cwd, 'link.json'));
  for (const files of [['a.json'], ['a.json', './a.json'], ['a.json', 'link.json']]) {
    const { exitCode, stdout, stderr } = await attnswap(['compare', ...files], { cwd });
    assert.equal(exitCode, 5);
    assert.equal(stdout, '');
    assert.match(stderr, /\[USAGE\]\n {2}hint: /);
  }
});

test('a file that is no run record is named, and exit 5', async () => {
  const cwd = folderOf({ 'a.json': sampleRun(shape) });
  writeFileSync(join(cwd, 'b.json'), '{"schema":"other"}');
  const { exitCode, stderr } = await attnswap(['compare', 'a.json', 'b.json'], { cwd });
  assert.equal(exitCode, 5);
  assert.match(stderr, /b\.json: schema is "other".*\[INVALID_RUN\]/);
});
