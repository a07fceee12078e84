import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { powercapTree } from './fixtures/powercap-tree.ts';
import { findEnergyZones, joulesBetween, readMicrojoules, readZones } from './powercap.ts';

const server = {
  'intel-rapl': {},
  'intel-rapl:0': { name: 'package-0', microjoules: 100, range: 1000 },
  'intel-rapl:0:0': { name: 'core', microjoules: 60, range: 1000 },
  'intel-rapl:0:1': { name: 'dram', microjoules: 5, range: 500 },
  'intel-rapl:1': { name: 'package-1', microjoules: 200, range: 1000 },
  'intel-rapl:1:1': { name: 'dram', microjoules: 7, range: 500 },
  'intel-rapl:2': { name: 'psys', microjoules: 900, range: 1000 },
  'intel-rapl-mmio:0': { name: 'package-0', microjoules: 100, range: 1000 },
  'dtpm:0': { name: 'package-0', microjoules: 1, range: 1000 },
};

test('packages are counted once, memory apart; cores, the platform and other interfaces not at all', () => {
  const { packages, memory } = findEnergyZones(powercapTree(server).folder);
  assert.deepEqual(
    packages.map(({ name, range }) => [name, range]),
    [
      ['package-0', 1000],
      ['package-1', 1000],
    ],
  );
  assert.deepEqual(readZones(memory), [5, 7]);
});

test('a machine whose packages stand under another interface alone is read by that', () => {
  const { folder } = powercapTree({ 'intel-rapl-mmio:0': { name: 'package-0', microjoules: 3, range: 1000 } });
  assert.deepEqual(readZones(findEnergyZones(folder).packages), [3]);
});

test('a counter that starts again at 0 goes on, each package by its own range', () => {
  const { packages } = findEnergyZones(powercapTree(server).folder);
  assert.equal(joulesBetween(packages, [990, 200], [10, 250]), (20 + 50) / 1e6);
  assert.equal(joulesBetween(packages, [0, 0], [0, 0]), 0);
});

test('what is not there, not a number, or gone is refused with the reason', () => {
  assert.throws(() => findEnergyZones('/nonexistent'), { code: 'UNSUPPORTED', message: /has no counter of a processor package/ });
  const tree = powercapTree(server);
  const [zone] = findEnergyZones(tree.folder).packages;
  tree.write('intel-rapl:0', 'energy_uj', 'lots');
  assert.throws(() => readMicrojoules(zone!), { message: /energy_uj holds "lots", expected microjoules/ });
  rmSync(join(tree.folder, 'intel-rapl:0', 'energy_uj'));
  assert.throws(() => readMicrojoules(zone!), { message: /the counter of package-0 cannot be read \(.*: ENOENT\)/ });
});

const canBeDenied = process.platform === 'linux' && process.getuid !== undefined;
test('a counter that only root may read names the command that opens it', { skip: canBeDenied ? false : 'needs users' }, () => {
  const { folder, lock } = powercapTree(server);
  lock('intel-rapl:1');
  const root = process.getuid!() === 0;
  if (root) process.seteuid!(65_534);
  try {
    assert.throws(() => findEnergyZones(folder), { message: /package-1 cannot be read/, hint: /^sudo chmod a\+r .*\/\*\/energy_uj/ });
  } finally {
    if (root) process.seteuid!(0);
  }
});
