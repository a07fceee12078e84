import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRun } from '../contract/run.ts';
import { sampleRun } from '../report/fixtures/sample-run.ts';
import { collectRun } from './parts.ts';
import type { Part } from './parts.ts';

const whole = sampleRun({ lengths: [64, 128] });
const ids = whole.declared;
const { sha256 } = whole.suite;

/** What a host wrote that measured the cells at the given places of those that it was to. */
function part(host: string, rank: number, measured: readonly number[], declared = ids, outcome: 'done' | null = 'done'): Part {
  const { schema: _, endedAt: __, complete: ___, cells, ...head } = whole;
  const end = outcome === null ? undefined : { outcome, endedAt: '2026-01-01T00:00:00.000Z' };
  return { host, head: { ...head, declared: [...declared], rank }, cells: new Map(measured.map((at) => [ids[at]!, cells[at]!])), end };
}

const shown = (parts: readonly Part[]) => {
  const { records, missing } = collectRun({ parts, refused: [] }, sha256);
  for (const { record } of records) readRun(JSON.parse(JSON.stringify(record)), 'record');
  return {
    records: records.map(({ host, record }) => [host, record.cells.map(({ id }) => ids.indexOf(id)), record.complete] as const),
    declared: records.flatMap(({ record }) => record.declared.map((id) => ids.indexOf(id))).toSorted((a, b) => a - b),
    missing: missing.map((id) => ids.indexOf(id)),
  };
};

test('a run of one host is its record', () => {
  assert.deepEqual(shown([part('a', 0, [0, 1, 2, 3, 4, 5])]).records, [['a', [0, 1, 2, 3, 4, 5], true]]);
  const { records, missing } = shown([part('a', 0, [0, 1, 2], ids, null)]);
  assert.deepEqual(records, [['a', [0, 1, 2], false]]);
  assert.deepEqual(missing, [3, 4, 5]);
});

test('a run that another host took over is two records: every cell is declared once, and counts once', () => {
  const left = ids.slice(3);
  const { records, declared, missing } = shown([part('a', 0, [0, 1, 2, 3], ids, null), part('b', 1, [3, 4, 5], left)]);
  assert.deepEqual(records, [
    ['a', [0, 1, 2], false],
    ['b', [3, 4, 5], true],
  ]);
  assert.deepEqual(declared, [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(missing, []);
});

test('a host that was thought lost and measured on counts only where nobody else measured', () => {
  const { records, declared, missing } = shown([part('a', 0, [0, 1, 2, 3, 4, 5]), part('b', 1, [0, 2], ids, null)]);
  assert.deepEqual(records, [
    ['a', [1, 3, 4, 5], true],
    ['b', [0, 2], false],
  ]);
  assert.deepEqual(declared, [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(missing, []);
});

test('a record of another suite is left out, and said to be', () => {
  const { records, reasons } = collectRun({ parts: [part('a', 0, [0])], refused: ['x'] }, 'f'.repeat(64));
  assert.deepEqual(records, []);
  assert.deepEqual(reasons, ['left out: 1 entries that no trusted host signed', 'left out: a record of another suite']);
});
