import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { AttnswapError } from '../contract/errors.ts';
import { fingerprint } from '../measure/fingerprint.ts';
import type { Host } from '../measure/host-schema.ts';
import { quietHost } from '../measure/fixtures/quiet-host.ts';
import { compareHosts } from '../measure/same-host.ts';
import { migrationSteps } from '../migration/steps.ts';
import { Reused } from './figures.ts';
import { Journal } from './journal.ts';
import type { JournalRules } from './journal.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-state-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const subject = { files: { 'model.onnx': 'a' }, settings: { seed: 1 }, host: 'here' };
const rules: JournalRules = { kind: 'migration', steps: migrationSteps, compareHosts };
const never = () => Promise.reject(new Error('computed twice'));

test('a step gives the same the first time, the second time and after an interruption', async () => {
  const path = join(folder, 'steps');
  const state = await Journal.open(path, subject, rules);
  const lossy = async () => ({ loss: Infinity, absent: undefined, value: 1 });
  const first = await state.step<unknown>('loss', lossy);
  assert.deepEqual(first, { loss: null, value: 1 });
  assert.deepEqual(await state.step<unknown>('loss', never), first);
  assert.deepEqual(await (await Journal.open(path, subject, rules)).step<unknown>('loss', never), first);
  assert.equal(await state.step('nothing', async () => undefined), null);
  assert.equal(await (await Journal.open(path, subject, rules)).step('nothing', never), null);
});

test('a step that another run may find more of is given, and not stored', async () => {
  const path = join(folder, 'not kept');
  const state = await Journal.open(path, subject, rules);
  const keeps = ({ busy }: { busy: boolean }) => !busy;
  const found = new Reused({ busy: true }, '2026-01-01T00:00:00Z');
  assert.deepEqual(await state.step('compared', async () => found, keeps), { busy: true });
  assert.deepEqual([state.found('compared'), state.reused], [undefined, {}]);
  assert.deepEqual(await state.step('compared', async () => ({ busy: false }), keeps), { busy: false });
  assert.deepEqual((await Journal.open(path, subject, rules)).found('compared'), { busy: false });
});

test('once it is interrupted no step begins, and those that were reached are still given', async () => {
  const controller = new AbortController();
  const state = await Journal.open(join(folder, 'interrupted'), subject, { ...rules, signal: controller.signal });
  await state.step('one', async () => 1);
  controller.abort();
  assert.equal(await state.step('one', never), 1);
  await assert.rejects(state.step('two', never), { code: 'INTERRUPTED' });
});

test('a subject under another name is told from one that changed', async () => {
  const path = join(folder, 'subject');
  await (await Journal.open(path, subject, rules)).step('one', async () => 1);
  const refused = (files: Record<string, string>, wanted: RegExp) =>
    assert.rejects(
      Journal.open(path, { ...subject, files }, rules),
      (error: unknown) => error instanceof AttnswapError && wanted.test(error.message),
    );
  await refused({ 'model.onnx': 'b' }, /the file model\.onnx changed since/);
  await refused({ './model.onnx': 'a' }, /the file model\.onnx is no longer named since/);
  await refused({ ...subject.files, 'more.npz': 'c' }, /the file more\.npz was added since/);
});

test('a machine that only failed to be read is the same; one that changed is refused by the part that differs', async () => {
  const described = (change: (host: Host) => void) => {
    const host = structuredClone(quietHost);
    change(host);
    const print = fingerprint(host, { node: '24.21.0' });
    return { ...subject, host: print.sha256, described: { ...host, fingerprint: print } };
  };
  const whole = described(() => undefined);
  const path = join(folder, 'machine');
  await (await Journal.open(path, whole, rules)).step('one', async () => 1);
  const busy = described((host) => {
    host.missing.push({ part: 'gpus', reason: 'no answer in 15000 ms' });
    host.gpus = [];
  });
  assert.deepEqual((await Journal.open(path, busy, rules)).notCompared, ['GPUs']);
  assert.deepEqual((await Journal.open(path, whole, rules)).notCompared, []);
  const grown = described((host) => void (host.availableCores = 64));
  await assert.rejects(Journal.open(path, grown, rules), /the number of available cores \(32 before, 64 now\) changed/);
});

test('folders of earlier versions are compared by the host of their first step, or by its hash alone', async () => {
  const print = fingerprint(quietHost, { node: '24.21.0' });
  const now = { ...subject, host: print.sha256, described: { ...quietHost, fingerprint: print } };
  const old = { ...subject, host: 'a'.repeat(64) };
  const migration = join(folder, 'old-migration');
  const incomplete = { ...print, sha256: old.host, identity: { ...print.identity, physicalCores: null } };
  const head = { tool: { name: 'attnswap', version: '0.0.9' }, command: [], warnings: [], host: { ...quietHost, fingerprint: incomplete } };
  await (await Journal.open(migration, old, rules)).step('head', async () => head);
  assert.deepEqual((await Journal.open(migration, now, rules)).notCompared, ['number of physical cores']);
  const tuning = join(folder, 'old-tuning');
  await (await Journal.open(tuning, old, rules)).step('one', async () => 1);
  await assert.rejects(Journal.open(tuning, now, rules), /the fingerprint \(one of the two records does not list its parts\) changed/);
  await Journal.open(tuning, { ...now, host: old.host, described: { fingerprint: { ...print, sha256: old.host } } }, rules);
});

/** A journal's file after three steps, and the same with a change; `says` is what opening it is refused with. */
async function journal(name: string) {
  const path = join(folder, name);
  const state = await Journal.open(path, subject, rules);
  await state.step('baseline/latency/512', async () => ({ medianNs: 12, lowNs: 11, highNs: 13 }));
  await state.step('baseline/scores', async () => [0.5, 0.25]);
  await state.step('tune/loss/1-0', async () => null);
  const file = join(path, 'journal.json');
  const text = readFileSync(file, 'utf8');
  const open = (changed: string) => {
    writeFileSync(file, changed);
    return Journal.open(path, subject, rules);
  };
  return { text, open };
}

test('a damaged step is refused by name, whatever was changed in it', async () => {
  const { text, open } = await journal('damaged');
  const damages: ReadonlyArray<readonly [string, string, RegExp]> = [
    ['"medianNs": 12', '"medianNs": 13', /the step "baseline\/latency\/512" does not match its checksum/],
    ['0.25', '0.75', /the step "baseline\/scores" does not match/],
    ['"tune/loss/1-0": null', '"tune/loss/1-1": null', /the step "tune\/loss\/1-1" does not match/],
    ['"seed": 1', '"seed": 2', /its description does not match/],
    ['"baseline/scores": [', '"baseline/scores": ["x",', /does not match/],
  ];
  for (const [found, put, says] of damages) {
    assert.ok(text.includes(found), found);
    await assert.rejects(
      open(text.replace(found, put)),
      (error: unknown) =>
        error instanceof AttnswapError && error.code === 'INVALID_MIGRATION' && says.test(error.message) && error.hint !== undefined,
      put,
    );
  }
  assert.equal((await open(text)).count, 3);
});

test('any changed byte of a journal is refused in words, or changes nothing that is read', async () => {
  const { text, open } = await journal('bytes');
  const steps = JSON.stringify((JSON.parse(text) as { steps: unknown }).steps);
  for (let at = 0; at < text.length; at += 3) {
    const changed = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);
    const opened = await open(changed).catch((error: unknown) => error as Error);
    if (opened instanceof Journal) {
      assert.equal(JSON.stringify((JSON.parse(changed) as { steps: unknown }).steps), steps, `byte ${at}`);
      continue;
    }
    assert.ok(opened instanceof AttnswapError, `byte ${at}: ${opened.stack}`);
  }
});

test('a journal of an older version is read without checksums, and its steps by what they must hold', async () => {
  const { text, open } = await journal('old');
  const { checksums: _none, ...current } = JSON.parse(text) as { checksums: unknown; steps: Record<string, unknown> };
  await assert.rejects(open(JSON.stringify(current)), /expected a document with schema/);
  const old = { ...current, schema: 'attnswap.migration/1' };
  const state = await open(JSON.stringify(old));
  assert.deepEqual(state.found('baseline/scores'), [0.5, 0.25]);
  assert.equal(await state.step('tune/loss/1-0', never), null);
  await state.step('tune/saving', async () => [[0, 1]]);
  const wrong = { ...old, steps: { ...old.steps, 'baseline/latency/512': { medianNs: 'twelve' } } };
  await assert.rejects(open(JSON.stringify(wrong)), /the step "baseline\/latency\/512" has unexpected content: medianNs: /);
});

test('a damaged step that is taken out is measured again', async () => {
  const { text, open } = await journal('mended');
  const { steps, ...rest } = JSON.parse(text) as { steps: Record<string, unknown> };
  delete steps['baseline/scores'];
  const state = await open(JSON.stringify({ ...rest, steps }));
  assert.deepEqual(await state.step('baseline/scores', async () => [1]), [1]);
});

test('a journal of the name and schema of before goes on in its file, and is of what its settings say', async () => {
  const path = join(folder, 'renamed');
  const old = (settings: object) => {
    const journal = {
      schema: 'attnswap.migration/1',
      subject: { ...subject, settings },
      startedAt: '2026-01-01T00:00:00.000Z',
      steps: { one: 1 },
    };
    writeFileSync(join(path, 'migration.json'), JSON.stringify(journal));
    return { ...subject, settings: settings as Record<string, unknown> };
  };
  mkdirSync(path);
  const state = await Journal.open(path, old({ seed: 1 }), rules);
  assert.equal(await state.step('one', never), 1);
  await state.step('two', async () => 2);
  assert.deepEqual(readdirSync(path), ['migration.json']);
  assert.equal((await Journal.open(path, subject, rules)).count, 2);
  const trained = old({ trainer: 'torch-cpu' });
  await Journal.open(path, trained, { ...rules, kind: 'tuning' });
  await assert.rejects(Journal.open(path, trained, rules), /renamed: holds a tuning, expected a migration/);
});
