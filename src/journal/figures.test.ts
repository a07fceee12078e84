import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { Figures, Reused } from './figures.ts';
import { Journal } from './journal.ts';

const identity = { code: 'c', host: 'h' };
const open = (folder: string, more: object = {}) => Figures.open(folder, { identity, fresh: false, ...more });
const newFolder = () => mkdtempSync(join(tmpdir(), 'figures-'));
const never = () => Promise.reject(new Error('measured again'));
const anything = z.unknown();
const request = { metric: 'latency', model: 'sha' };

test('a figure is measured once for all that it depends on, and reused with the time of then', async () => {
  const folder = newFolder();
  const before = new Date().toISOString();
  assert.deepEqual(await (await open(folder)).measured(request, anything, async () => ({ ns: 5 })), { ns: 5 });
  const found = await (await open(folder)).measured(request, anything, never);
  assert.ok(found instanceof Reused);
  assert.deepEqual(found.value, { ns: 5 });
  assert.ok(found.measuredAt >= before && found.measuredAt <= new Date().toISOString());
  const anew = async (figures: Figures, of: object) => figures.measured(of, anything, async () => ({ ns: 7 }));
  assert.deepEqual(await anew(await open(folder), { ...request, model: 'other' }), { ns: 7 });
  for (const other of [
    { code: 'c2', host: 'h' },
    { code: 'c', host: 'h2' },
  ])
    assert.deepEqual(await anew(await open(folder, { identity: other }), request), { ns: 7 }, JSON.stringify(other));
  assert.deepEqual(await anew(await open(folder, { fresh: true }), request), { ns: 7 });
  assert.deepEqual(
    ((await (await open(folder)).measured(request, anything, never)) as Reused<unknown>).value,
    { ns: 7 },
    'it replaced the old one',
  );
});

test('what does not fit what a figure is, is neither kept nor reused', async () => {
  const folder = newFolder();
  assert.equal(await (await open(folder)).measured(request, z.number(), async () => null), null);
  assert.deepEqual(readdirSync(folder), []);
  await (await open(folder)).measured(request, anything, async () => 'put there');
  assert.equal(await (await open(folder)).measured(request, z.number(), async () => 3), 3);
  assert.deepEqual(((await (await open(folder)).measured(request, z.number(), never)) as Reused<unknown>).value, 3);
});

test('a figure that is damaged, of another request, or old is measured anew; a folder that cannot be written costs nothing', async () => {
  const folder = newFolder();
  const measure = async (value: number) => (await open(folder)).measured(request, anything, async () => value);
  await measure(1);
  const path = join(folder, readdirSync(folder)[0]!);
  const text = readFileSync(path, 'utf8');
  for (const [at, damaged] of [
    text.replace('"value": 1', '"value": 3'),
    text.replace('sha', 'shb'),
    text.slice(0, 40),
    '',
    '[]',
  ].entries()) {
    assert.notEqual(damaged, text);
    writeFileSync(path, damaged);
    if (at === 1) assert.ok((await measure(1)) instanceof Reused, 'what decides is the request that is asked');
    else assert.equal(await measure(9), 9);
    writeFileSync(path, text);
  }
  const old = new Date(Date.now() - 31 * 86_400_000);
  utimesSync(path, old, old);
  await open(folder);
  assert.deepEqual(readdirSync(folder), []);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  assert.equal(await (await open(file)).measured(request, anything, async () => 4), 4);
});

test('a journal says when a reused step was measured, keeps that, and refuses it where it was changed', async () => {
  const folder = newFolder();
  const rules = { kind: 'migration', steps: [], compareHosts: () => ({ differing: [], unknown: [] }) } as const;
  const openJournal = () => Journal.open(folder, { files: {}, settings: {}, host: 'h' }, rules);
  const state = await openJournal();
  const measuredAt = '2026-01-02T03:04:05.000Z';
  assert.deepEqual(await state.step('one', async () => new Reused({ ns: 5 }, measuredAt)), { ns: 5 });
  await state.step('two', async () => 2);
  const again = await openJournal();
  assert.deepEqual(again.reused, { one: measuredAt });
  assert.deepEqual(await again.step('one', never), { ns: 5 });
  const path = join(folder, 'journal.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace('2026-01-02', '2026-01-03'));
  await assert.rejects(openJournal(), /the step "one" does not match its checksum/);
});
