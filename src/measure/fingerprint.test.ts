import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprint } from './fingerprint.ts';
import type { Host } from './host-schema.ts';
import { quietHost } from './fixtures/quiet-host.ts';
import { compareHosts } from './same-host.ts';

const versions = { node: '24.21.0', 'onnx-cpu': '1.30.0' };
const reference = fingerprint(quietHost, versions);

/** As a record holds a host. */
const record = (host: Host, of = versions) => ({ ...host, fingerprint: fingerprint(host, of) });

/** The reference host with one thing changed. */
function changed(change: (host: Host) => void): Host {
  const host = structuredClone(quietHost);
  change(host);
  return host;
}

function firstGpu(host: Host): Host['gpus'][number] {
  const [gpu] = host.gpus;
  assert.ok(gpu);
  return gpu;
}

const identityChanges: Record<string, (host: Host) => void> = {
  'CPU model': ({ cpu }) => void (cpu.model = 'AMD Ryzen 9 7900X'),
  'physical cores': ({ cpu }) => void (cpu.physicalCores = 8),
  'logical cores': ({ cpu }) => void (cpu.logicalCores = 16),
  'processors offered': (host) => void (host.availableCores = 4),
  'memory class': (host) => void (host.memoryBytes = 33_000_000_000),
  'GPU model': (host) => void (firstGpu(host).model = 'NVIDIA GeForce RTX 4080'),
  'GPU driver': (host) => void (firstGpu(host).driver = '555.42.02'),
  'a GPU less': ({ gpus }) => void gpus.pop(),
  platform: ({ os }) => void (os.platform = 'freebsd'),
  architecture: ({ os }) => void (os.arch = 'arm64'),
  distribution: ({ os }) => void (os.distribution = 'Ubuntu'),
  'major release': ({ os }) => void (os.release = '13'),
  'major kernel version': ({ os }) => void (os.kernel = '7.0.1'),
  'container CPU limit': ({ container }) => void (container.cpus = 2),
  'container memory limit': ({ container }) => void (container.memoryBytes = 2 ** 32),
  governor: ({ cpu }) => void (cpu.governor = 'powersave'),
  turbo: ({ cpu }) => void (cpu.turbo = true),
};

for (const [name, change] of Object.entries(identityChanges)) {
  test(`another identity: ${name}`, () => {
    const { sha256, short } = fingerprint(changed(change), versions);
    assert.notEqual(sha256, reference.sha256);
    assert.notEqual(short, reference.short);
    assert.equal(compareHosts(record(quietHost), record(changed(change))).differing.length, 1);
  });
}

test('another identity: the version of the runtime or of a backend, and a backend more', () => {
  for (const other of [
    { ...versions, node: '24.22.0' },
    { ...versions, 'onnx-cpu': '1.31.0' },
    { ...versions, 'torch-cpu': '2.5.0' },
  ]) {
    const { sha256 } = fingerprint(quietHost, other);
    assert.notEqual(sha256, reference.sha256);
    const { differing } = compareHosts(record(quietHost), record(quietHost, other));
    assert.equal(differing.length, 1);
    assert.match(differing[0]!, /^the version of (node|onnx-cpu|torch-cpu) \(/);
  }
});

const volatileChanges: Record<string, (host: Host) => void> = {
  'clock speed': ({ volatile }) => void (volatile.cpuMhz = 800),
  'boot time': ({ volatile }) => void (volatile.bootTime = '2026-02-02T00:00:00.000Z'),
  'free memory': ({ volatile }) => void (volatile.freeMemoryBytes = 1),
  load: ({ volatile }) => void (volatile.loadAverages = [31, 30, 29]),
  'heavy processes': ({ volatile }) => void volatile.heavyProcesses.push({ pid: 7, name: 'cc1plus', cores: 1 }),
  battery: ({ volatile }) => void (volatile.battery = { discharging: true, percent: 20 }),
  temperature: ({ volatile }) => void (volatile.temperatureCelsius = 95),
  'memory within its class': (host) => void (host.memoryBytes = 67_400_000_000),
  'minor kernel version': ({ os }) => void (os.kernel = '6.18.4'),
  'the order in which GPUs are found': ({ gpus }) => void gpus.reverse(),
};

for (const [name, change] of Object.entries(volatileChanges)) {
  test(`the same identity: ${name}`, () => {
    const host = changed(change);
    assert.notDeepEqual(host, quietHost);
    assert.deepEqual(fingerprint(host, versions), reference);
  });
}

test('the order in which versions are written is no part of the identity', () => {
  assert.equal(fingerprint(quietHost, { 'onnx-cpu': '1.30.0', node: '24.21.0' }).sha256, reference.sha256);
});

test('the memory class is the next power of two, as built in', () => {
  const classOf = (gib: number) => fingerprint({ ...quietHost, memoryBytes: gib * 2 ** 30 }, versions).identity.memoryClassGib;
  assert.deepEqual([0.49, 7.6, 15.5, 16, 16.2, 23.5, 31.1].map(classOf), [0.5, 8, 16, 16, 16, 32, 32]);
});

test('the hash is SHA-256 in hexadecimal, the short form its first twelve digits', () => {
  assert.match(reference.sha256, /^[0-9a-f]{64}$/);
  assert.equal(reference.short, reference.sha256.slice(0, 12));
});
