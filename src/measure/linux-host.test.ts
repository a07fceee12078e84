import assert from 'node:assert/strict';
import { platform } from 'node:os';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cpu, osInfo } from 'systeminformation';
import { distributionOf, processorOf } from './linux-host.ts';

const reading = (files: Readonly<Record<string, string>>) => (path: string) => files[path];

/** Of a machine with two sockets, two cores each, two threads a core. */
function cpuinfo(name: string): string {
  const processors = Array.from({ length: 8 }, (_, processor) => {
    const [socket, core] = [Math.floor(processor / 2) % 2, processor % 2];
    return `processor\t: ${processor}\nvendor_id\t: x\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: ${name}\nstepping\t: 2\nphysical id\t: ${socket}\ncore id\t\t: ${core}\n`;
  });
  return processors.join('\n');
}

const nameOf = (name: string) => {
  const found = processorOf(reading({ '/proc/cpuinfo': cpuinfo(name) }));
  return found && `${found.manufacturer} ${found.brand}`;
};

test('a processor is called as earlier records call it', () => {
  assert.equal(nameOf('Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz'), 'Intel Xeon® Platinum 8259CL');
  assert.equal(nameOf('AMD EPYC 7763 64-Core Processor'), 'AMD EPYC 7763 64-Core Processor');
  assert.equal(nameOf('12th Gen Intel(R) Core(TM) i7-1270P'), 'Intel Gen Intel® Core™ i7-1270P');
  assert.equal(nameOf('Common KVM processor'), 'Common KVM processor KVM processor');
});

test('family, model and stepping, and cores over all sockets', () => {
  const found = processorOf(reading({ '/proc/cpuinfo': cpuinfo('AMD EPYC') }));
  assert.deepEqual([found?.family, found?.model, found?.stepping, found?.physicalCores], ['25', '1', '2', 4]);
});

test('a processor without a name is none', () => {
  assert.equal(processorOf(reading({ '/proc/cpuinfo': 'processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\n' })), undefined);
  assert.equal(processorOf(reading({})), undefined);
});

test('a distribution is called as earlier records call it', () => {
  const debian = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION="12 (bookworm)"\n';
  assert.deepEqual(distributionOf(reading({ '/etc/os-release': debian })), { distro: 'Debian GNU/Linux', release: '12' });
  const files = {
    '/etc/lsb-release': 'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=22.04\n',
    '/etc/os-release': 'PRETTY_NAME="Ubuntu 22.04.4 LTS"\nNAME="Ubuntu"\nVERSION="22.04.4 LTS (Jammy Jellyfish)"\n',
  };
  assert.deepEqual(distributionOf(reading(files)), { distro: 'Ubuntu', release: '22.04.4 LTS' });
  const alpine = 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.1\nPRETTY_NAME="Alpine Linux v3.20"\n';
  assert.deepEqual(distributionOf(reading({ '/usr/lib/os-release': alpine })), { distro: 'Alpine Linux', release: 'v3.20' });
  assert.equal(distributionOf(reading({})), undefined);
});

test('this machine is called as the helper programs call it', { skip: platform() === 'linux' ? false : 'not Linux' }, async () => {
  const read = (path: string) => {
    try {
      return readFileSync(path, 'utf8').trim();
    } catch {
      return undefined;
    }
  };
  const [helper, system] = [await cpu(), await osInfo()];
  const own = processorOf(read);
  if (own !== undefined && helper.family !== '') {
    const { manufacturer, brand, family, model, stepping, physicalCores } = helper;
    assert.deepEqual(own, { manufacturer, brand, family, model, stepping, physicalCores });
  }
  assert.deepEqual(distributionOf(read), { distro: system.distro, release: system.release });
});
