import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { checksumOf } from './check-steps.ts';
import { Figures, Reused } from './figures.ts';
import { Journal } from './journal.ts';

const identity = { code: 'c', host: 'h' };
const open = (folder: string, more: object = {}) => Figures.open(folder, { identity, fresh: false, keeps: true, ...more });
const newFolder = () => mkdtempSync(join(tmpdir(), 'figures-'));
const never = () => Promise.reject(new Error('measured again'));
const request = (more: object = {}, schema: z.ZodType = z.unknown(), paths: readonly string[] = []) => ({
  of: { metric: 'latency', model: 'sha', ...more },
  files: async () => paths,
  schema,
});

test('a figure is measured once for all that it depends on, and reused with the time of then', async () => {
  const folder = newFolder();
  const before = new Date().toISOString();
  assert.deepEqual(await (await open(folder)).measured(request(), async () => ({ ns: 5 })), { ns: 5 });
  const found = await (await open(folder)).measured(request(), never);
  assert.ok(found instanceof Reused);
  assert.deepEqual(found.value, { ns: 5 });
  assert.ok(found.measuredAt >= before && found.measuredAt <= new Date().toISOString());
  const anew = async (figures: Figures, more: object = {}) => figures.measured(request(more), async () => ({ ns: 7 }));
  assert.deepEqual(await anew(await open(folder), { model: 'other' }), { ns: 7 });
  for (const other of [
    { code: 'c2', host: 'h' },
    { code: 'c', host: 'h2' },
  ])
    assert.deepEqual(await anew(await open(folder, { identity: other })), { ns: 7 }, JSON.stringify(other));
  assert.deepEqual(await anew(await open(folder, { fresh: true })), { ns: 7 });
  assert.deepEqual(
    ((await (await open(folder)).measured(request(), never)) as Reused<unknown>).value,
    { ns: 7 },
    'it replaced the old one',
  );
});

test('what does not fit what a figure is, is neither kept nor reused; nor is what a busy host gives kept, or what is too large', async () => {
  const folder = newFolder();
  const number = request({}, z.number());
  assert.equal(await (await open(folder)).measured(number, async () => null), null);
  await (await open(folder, { keeps: false })).measured(number, async () => 1);
  await (await open(folder)).measured(request(), async () => 'x'.repeat(2 ** 20));
  assert.deepEqual(readdirSync(folder), []);
  await (await open(folder)).measured(request(), async () => 'put there');
  assert.equal(await (await open(folder)).measured(number, async () => 3), 3);
  assert.deepEqual(((await (await open(folder, { keeps: false })).measured(number, never)) as Reused<unknown>).value, 3);
  const part = await (await open(folder)).measured(request({ of: 'part' }, z.object({ a: z.number() })), async () => ({ a: 1, b: 2 }));
  assert.deepEqual(part, { a: 1, b: 2 });
  const read = await (await open(folder)).measured(request({ of: 'part' }, z.object({ a: z.number() })), never);
  assert.deepEqual((read as Reused<unknown>).value, { a: 1 }, 'what the schema does not know is not let in');
});

test('a figure is of the content of its files, and is not kept where one changed while it was measured', async () => {
  const folder = newFolder();
  const path = join(newFolder(), 'model');
  const measure = async (value: number, meanwhile: () => unknown = () => null) =>
    (await open(folder)).measured(request({}, z.number(), [path]), async () => {
      meanwhile();
      return value;
    });
  writeFileSync(path, 'one');
  assert.equal(await measure(1), 1);
  assert.ok((await measure(9)) instanceof Reused);
  writeFileSync(path, 'two');
  assert.equal(await measure(2, () => writeFileSync(path, 'six')), 2);
  writeFileSync(path, 'two');
  assert.equal(await measure(3, () => (writeFileSync(path, 'six'), writeFileSync(path, 'two'))), 3, 'it was not kept');
  assert.equal(await measure(4), 4, 'nor was one whose file was written meanwhile, and is the same again');
  writeFileSync(path, 'one');
  assert.equal(((await measure(9)) as Reused<unknown>).value, 1);
  assert.equal(await (await open(folder)).measured(request({}, z.number(), [`${path}.none`]), async () => 5), 5);
});

test('a figure that is damaged, of another request, old, or of a time to come is measured anew', async () => {
  const folder = newFolder();
  const measure = async (value: number) => (await open(folder)).measured(request(), async () => value);
  await measure(1);
  const path = join(folder, readdirSync(folder)[0]!);
  const text = readFileSync(path, 'utf8');
  const { of, value, measuredAt } = JSON.parse(text) as Record<string, string>;
  const at = (time: number) => {
    const then = new Date(time).toISOString();
    return text.replace(measuredAt!, then).replace(/"checksum":"\w+"/, `"checksum":"${checksumOf(then, [of, value])}"`);
  };
  const day = 86_400_000;
  writeFileSync(path, at(Date.now() - 29 * day));
  assert.ok((await measure(9)) instanceof Reused, 'the checksum is as expected');
  for (const damaged of [
    text.replace('"value":1', '"value":3'),
    text.replace(of!, of!.replaceAll(/./g, '0')),
    text.slice(0, 40),
    '',
    '[]',
    at(Date.now() - 31 * day),
    at(Date.now() + day),
  ]) {
    assert.notEqual(damaged, text);
    writeFileSync(path, damaged);
    assert.equal(await measure(9), 9, damaged);
  }
});

test('of old files only figures go; a link is not followed, and a folder that is none costs nothing', async () => {
  const folder = newFolder();
  await (await open(folder)).measured(request(), async () => 1);
  const [own] = readdirSync(folder) as [string];
  const old = new Date(Date.now() - 31 * 86_400_000);
  const others = ['thesis.txt', 'figure.json', `${'A'.repeat(64)}.json`, `${own}.bak`];
  for (const name of others) writeFileSync(join(folder, name), 'mine');
  for (const name of [own, ...others]) utimesSync(join(folder, name), old, old);
  const link = join(newFolder(), 'figures');
  symlinkSync(folder, link);
  assert.equal(await open(link), Figures.none);
  assert.equal(readdirSync(folder).length, 5);
  const elsewhere = join(newFolder(), 'target');
  writeFileSync(elsewhere, 'mine');
  utimesSync(elsewhere, old, old);
  symlinkSync(elsewhere, join(folder, `${'0'.repeat(64)}.json`));
  await open(folder);
  assert.deepEqual(readdirSync(folder).toSorted(), [`${'0'.repeat(64)}.json`, ...others].toSorted());
  assert.equal(readFileSync(elsewhere, 'utf8'), 'mine');
  assert.equal(await (await open(elsewhere)).measured(request(), async () => 4), 4);
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
  const stored = JSON.parse(readFileSync(path, 'utf8')) as { steps: Record<string, unknown> };
  delete stored.steps['one'];
  writeFileSync(path, JSON.stringify(stored));
  const anew = await openJournal();
  assert.equal(await anew.step('one', async () => 6), 6);
  assert.deepEqual(anew.reused, {});
  assert.deepEqual((await openJournal()).reused, {}, 'the step is this folder’s own now');
});
