import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { AttnswapError } from '../contract/errors.ts';
import { fingerprint } from '../measure/fingerprint.ts';
import type { Host } from '../measure/host-schema.ts';
import { quietHost } from '../measure/quiet-host.ts';
import { fileNameOf } from './candidate.ts';
import { MigrationState } from './state.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnswap-state-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const subject = { files: { 'model.onnx': 'a' }, settings: { seed: 1 }, host: 'here' };
const never = () => Promise.reject(new Error('computed twice'));

test('a step gives the same the first time, the second time and after an interruption', async () => {
  const path = join(folder, 'steps');
  const state = await MigrationState.open(path, subject);
  const lossy = async () => ({ loss: Infinity, absent: undefined, value: 1 });
  const first = await state.step<unknown>('loss', lossy);
  assert.deepEqual(first, { loss: null, value: 1 });
  assert.deepEqual(await state.step<unknown>('loss', never), first);
  assert.deepEqual(await (await MigrationState.open(path, subject)).step<unknown>('loss', never), first);
  assert.equal(await state.step('nothing', async () => undefined), null);
  assert.equal(await (await MigrationState.open(path, subject)).step('nothing', never), null);
});

test('a subject under another name is told from one that changed', async () => {
  const path = join(folder, 'subject');
  await (await MigrationState.open(path, subject)).step('one', async () => 1);
  const refused = (files: Record<string, string>, wanted: RegExp) =>
    assert.rejects(
      MigrationState.open(path, { ...subject, files }),
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
  await (await MigrationState.open(path, whole)).step('one', async () => 1);
  const busy = described((host) => {
    host.missing.push({ part: 'gpus', reason: 'no answer in 15000 ms' });
    host.gpus = [];
  });
  assert.deepEqual((await MigrationState.open(path, busy)).notCompared, ['GPUs']);
  assert.deepEqual((await MigrationState.open(path, whole)).notCompared, []);
  const grown = described((host) => void (host.availableCores = 64));
  await assert.rejects(MigrationState.open(path, grown), /the number of available cores \(32 before, 64 now\) changed/);
});

test('folders of earlier versions are compared by the host of their first step, or by its hash alone', async () => {
  const print = fingerprint(quietHost, { node: '24.21.0' });
  const now = { ...subject, host: print.sha256, described: { ...quietHost, fingerprint: print } };
  const old = { ...subject, host: 'a'.repeat(64) };
  const migration = join(folder, 'old-migration');
  const incomplete = { ...print, sha256: old.host, identity: { ...print.identity, physicalCores: null } };
  await (await MigrationState.open(migration, old)).step('head', async () => ({ host: { ...quietHost, fingerprint: incomplete } }));
  assert.deepEqual((await MigrationState.open(migration, now)).notCompared, ['number of physical cores']);
  const tuning = join(folder, 'old-tuning');
  await (await MigrationState.open(tuning, old)).step('one', async () => 1);
  await assert.rejects(MigrationState.open(tuning, now), /the fingerprint \(one of the two records tells no parts\) changed/);
  await MigrationState.open(tuning, { ...now, host: old.host, described: { fingerprint: { ...print, sha256: old.host } } });
});

test('a candidate of many sites has a file name that a folder takes, and its own', () => {
  const name = (last: string) => [...Array.from({ length: 24 }, (_, site) => `${site}=window.tiled:w=256`), last].join(' ');
  assert.ok(fileNameOf(name('24=dense.fused')).length <= 100);
  assert.notEqual(fileNameOf(name('24=dense.fused')), fileNameOf(name('24=dense.tiled')));
  assert.equal(fileNameOf('window.tiled:w=64'), 'window.tiled_w=64.onnx');
});
