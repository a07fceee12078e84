import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprint } from './fingerprint.ts';
import type { Host } from './host-schema.ts';
import { quietHost } from './fixtures/quiet-host.ts';
import { compareHosts, groupByHost } from './same-host.ts';

const versions = { node: '24.21.0', 'onnx-cpu': '1.30.0' };
const record = (host: Host) => ({ ...host, fingerprint: fingerprint(host, versions) });
const whole = record(quietHost);

/** A record as this version writes it where a helper program did not answer. */
function unread(part: 'cpu' | 'os' | 'gpus') {
  const host = structuredClone(quietHost);
  host.missing = [{ part, reason: 'no answer in 15000 ms' }];
  if (part === 'cpu') Object.assign(host.cpu, { model: 'unknown', physicalCores: null });
  if (part === 'os') Object.assign(host.os, { distribution: 'Linux', release: 'unknown' });
  if (part === 'gpus') host.gpus = [];
  return record(host);
}

test('a part that either record could not read is not compared, and named', () => {
  const expected = { cpu: ['CPU model', 'number of physical cores'], os: ['operating system'], gpus: ['GPUs'] };
  for (const [part, unknown] of Object.entries(expected)) {
    const partial = unread(part as keyof typeof expected);
    assert.notEqual(partial.fingerprint.sha256, whole.fingerprint.sha256);
    assert.deepEqual(compareHosts(whole, partial), { differing: [], unknown });
    assert.deepEqual(compareHosts(partial, whole), { differing: [], unknown });
  }
});

test('a record of an earlier version, which held a stand-in for what it could not read, compares as well', () => {
  const earlier = structuredClone(unread('cpu'));
  // The identity held the name that the system itself gives, and no cores.
  const identity = { ...whole.fingerprint.identity, cpu: 'Intel(R) Xeon(R) Processor', physicalCores: null };
  const old = { ...earlier, fingerprint: { sha256: 'a'.repeat(64), short: 'a'.repeat(12), identity } };
  assert.deepEqual(compareHosts(old, whole), { differing: [], unknown: ['CPU model', 'number of physical cores'] });
});

test('what differs is named with both values, beside a part that is not compared', () => {
  const other = unread('gpus');
  const moved = record({ ...structuredClone(quietHost), availableCores: 4, missing: other.missing, gpus: [] });
  const { differing, unknown } = compareHosts(whole, moved);
  assert.deepEqual(differing, ['the number of available cores (32 before, 4 now)']);
  assert.deepEqual(unknown, ['GPUs']);
});

test('no GPU and GPUs that could not be read are two things', () => {
  const without = record({ ...structuredClone(quietHost), gpus: [] });
  assert.match(compareHosts(whole, without).differing.join(), /^the GPUs \(.*GeForce.* before, \[\] now\)$/);
});

test('hosts that are told apart by their hash alone differ', () => {
  const sha256 = 'b'.repeat(64);
  assert.equal(compareHosts(whole, { ...whole, fingerprint: { ...whole.fingerprint, sha256 } }).differing.length, 1);
  assert.equal(compareHosts({ fingerprint: { sha256 } }, whole).differing.length, 1);
  assert.deepEqual(compareHosts({ fingerprint: { sha256 } }, { fingerprint: { sha256 } }), { differing: [], unknown: [] });
  for (const nothing of [undefined, null, 'a laptop', {}, { fingerprint: 7 }])
    assert.equal(compareHosts(nothing, whole).differing.length, 1);
});

test('records are grouped by host: what could not read a part joins the only host that it does not differ from, in any order', () => {
  const other = record({ ...structuredClone(quietHost), availableCores: 4 });
  const twin = record({ ...structuredClone(quietHost), gpus: [] });
  const [blind, noName] = [unread('gpus'), unread('os')];
  const grouped = (...hosts: unknown[]) => groupByHost(hosts, (host) => host).map((members) => members.map((host) => hosts.indexOf(host)));
  assert.deepEqual(grouped(blind, whole, noName, other, whole), [[1, 1, 0, 2], [3]]);
  assert.deepEqual(grouped(whole, twin, blind), [[0], [1], [2]]);
  assert.deepEqual(grouped('a laptop', undefined, whole), [[0, 1], [2]]);
});
