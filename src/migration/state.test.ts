import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { AttnswapError } from '../contract/errors.ts';
import { fingerprint } from '../measure/fingerprint.ts';
import type { Host } from '../measure/host-schema.ts';
import { quietHost } from '../measure/quiet-host.ts';
import { fileNameOf } from './candidate.ts';
import { migrationSteps } from './record.ts';
import { MigrationState } from './state.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-state-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const subject = { files: { 'model.onnx': 'a' }, settings: { seed: 1 }, host: 'here' };
const never = () => Promise.reject(new Error('computed twice'));

test('a step gives the same the first time, the second time and after an interruption', async () => {
  const path = join(folder, 'steps');
  const state = await MigrationState.open(path, subject, migrationSteps);
  const lossy = async () => ({ loss: Infinity, absent: undefined, value: 1 });
  const first = await state.step<unknown>('loss', lossy);
  assert.deepEqual(first, { loss: null, value: 1 });
  assert.deepEqual(await state.step<unknown>('loss', never), first);
  assert.deepEqual(await (await MigrationState.open(path, subject, migrationSteps)).step<unknown>('loss', never), first);
  assert.equal(await state.step('nothing', async () => undefined), null);
  assert.equal(await (await MigrationState.open(path, subject, migrationSteps)).step('nothing', never), null);
});

test('a subject under another name is told from one that changed', async () => {
  const path = join(folder, 'subject');
  await (await MigrationState.open(path, subject, migrationSteps)).step('one', async () => 1);
  const refused = (files: Record<string, string>, wanted: RegExp) =>
    assert.rejects(
      MigrationState.open(path, { ...subject, files }, migrationSteps),
      (error: unknown) => error instanceof AttnswapError && wanted.test(error.message),
    );
  await refused({ 'model.onnx': 'b' }, /the file model\.onnx changed since/);
  await refused({ './model.onnx': 'a' }, /the file model\.onnx is no longer named since/);
  await refused({ ...subject.files, 'more.npz': 'c' }, /the file more\.npz was named anew since/);
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
  await (await MigrationState.open(path, whole, migrationSteps)).step('one', async () => 1);
  const busy = described((host) => {
    host.missing.push({ part: 'gpus', reason: 'no answer in 15000 ms' });
    host.gpus = [];
  });
  assert.deepEqual((await MigrationState.open(path, busy, migrationSteps)).notCompared, ['GPUs']);
  assert.deepEqual((await MigrationState.open(path, whole, migrationSteps)).notCompared, []);
  const grown = described((host) => void (host.availableCores = 64));
  await assert.rejects(MigrationState.open(path, grown, migrationSteps), /the number of available cores \(32 before, 64 now\) changed/);
});

test('folders of earlier versions are compared by the host of their first step, or by its hash alone', async () => {
  const print = fingerprint(quietHost, { node: '24.21.0' });
  const now = { ...subject, host: print.sha256, described: { ...quietHost, fingerprint: print } };
  const old = { ...subject, host: 'a'.repeat(64) };
  const migration = join(folder, 'old-migration');
  const incomplete = { ...print, sha256: old.host, identity: { ...print.identity, physicalCores: null } };
  const head = { tool: { name: 'attnswap', version: '0.0.9' }, command: [], warnings: [], host: { ...quietHost, fingerprint: incomplete } };
  await (await MigrationState.open(migration, old, migrationSteps)).step('head', async () => head);
  assert.deepEqual((await MigrationState.open(migration, now, migrationSteps)).notCompared, ['number of physical cores']);
  const tuning = join(folder, 'old-tuning');
  await (await MigrationState.open(tuning, old, migrationSteps)).step('one', async () => 1);
  await assert.rejects(
    MigrationState.open(tuning, now, migrationSteps),
    /the fingerprint \(one of the two records tells no parts\) changed/,
  );
  await MigrationState.open(tuning, { ...now, host: old.host, described: { fingerprint: { ...print, sha256: old.host } } }, migrationSteps);
});

test('a candidate of many sites has a file name that a folder takes, and its own', () => {
  const name = (last: string) => [...Array.from({ length: 24 }, (_, site) => `${site}=window.tiled:w=256`), last].join(' ');
  assert.ok(fileNameOf(name('24=dense.fused')).length <= 100);
  assert.notEqual(fileNameOf(name('24=dense.fused')), fileNameOf(name('24=dense.tiled')));
  assert.equal(fileNameOf('window.tiled:w=64'), 'window.tiled_w=64.onnx');
});

/** A journal's file after three steps, and the same with a change; `says` is what opening it is refused with. */
async function journal(name: string) {
  const path = join(folder, name);
  const state = await MigrationState.open(path, subject, migrationSteps);
  await state.step('baseline/latency/512', async () => ({ medianNs: 12, lowNs: 11, highNs: 13 }));
  await state.step('baseline/scores', async () => [0.5, 0.25]);
  await state.step('tune/loss/1-0', async () => null);
  const file = join(path, 'migration.json');
  const text = readFileSync(file, 'utf8');
  const open = (changed: string) => {
    writeFileSync(file, changed);
    return MigrationState.open(path, subject, migrationSteps);
  };
  return { text, open };
}

test('a damaged step is refused by name, whatever was changed in it', async () => {
  const { text, open } = await journal('damaged');
  const damages: ReadonlyArray<readonly [string, string, RegExp]> = [
    ['"medianNs": 12', '"medianNs": 13', /the step "baseline\/latency\/512" does not match its checksum/],
    ['0.25', '0.75', /the step "baseline\/scores" does not match/],
    ['"tune/loss/1-0": null', '"tune/loss/1-1": null', /the step "tune\/loss\/1-1" does not match/],
    ['"seed": 1', '"seed": 2', /what it is of does not match/],
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
    if (opened instanceof MigrationState) {
      assert.equal(JSON.stringify((JSON.parse(changed) as { steps: unknown }).steps), steps, `byte ${at}`);
      // The checksums of a journal of today may go as a whole, into one of before.
      continue;
    }
    assert.ok(opened instanceof AttnswapError, `byte ${at}: ${opened.stack}`);
  }
});

test('a journal of an older version is read without checksums, and its steps by what they must hold', async () => {
  const { text, open } = await journal('old');
  const { checksums: _none, ...old } = JSON.parse(text) as { checksums: unknown; steps: Record<string, unknown> };
  const state = await open(JSON.stringify(old));
  assert.deepEqual(state.found('baseline/scores'), [0.5, 0.25]);
  assert.equal(await state.step('tune/loss/1-0', never), null);
  await state.step('tune/saving', async () => [[0, 1]]);
  const wrong = { ...old, steps: { ...old.steps, 'baseline/latency/512': { medianNs: 'twelve' } } };
  await assert.rejects(open(JSON.stringify(wrong)), /the step "baseline\/latency\/512" does not hold what it should: medianNs: /);
});

test('a damaged step that is taken out is measured again', async () => {
  const { text, open } = await journal('mended');
  const { steps, ...rest } = JSON.parse(text) as { steps: Record<string, unknown> };
  delete steps['baseline/scores'];
  const state = await open(JSON.stringify({ ...rest, steps }));
  assert.deepEqual(await state.step('baseline/scores', async () => [1]), [1]);
});
