import assert from 'node:assert/strict';
import { platform } from 'node:os';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cpu, osInfo } from 'systeminformation';
import { batteryOf, distributionOf, processorOf, temperatureOf, virtualisationOf } from './linux-host.ts';

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

const guest = { '/proc/cpuinfo': 'processor\t: 0\nflags\t\t: fpu sse2 hypervisor lahf_lm\n' };
const clocks = '/sys/devices/system/clocksource/clocksource0/available_clocksource';
const vendor = '/sys/devices/virtual/dmi/id/sys_vendor';
const product = '/sys/devices/virtual/dmi/id/product_name';

test('a guest is told from its processor, and its hypervisor from firmware or clock', () => {
  const under = (files: Readonly<Record<string, string>>, release = '6.8.0-45-generic') => virtualisationOf(reading(files), release);
  assert.equal(under({ '/proc/cpuinfo': 'processor\t: 0\nflags\t\t: fpu sse2\n' }), null);
  assert.equal(under({ ...guest, [clocks]: 'tsc kvm-clock' }), 'KVM');
  assert.equal(under({ ...guest, [vendor]: 'VMware, Inc.', [product]: 'VMware7,1', [clocks]: 'tsc acpi_pm' }), 'VMware');
  assert.equal(under({ ...guest, [vendor]: 'Microsoft Corporation', [product]: 'Virtual Machine' }), 'Hyper-V');
  assert.equal(under({ ...guest, [vendor]: 'Amazon EC2', [product]: 'c7i.large', [clocks]: 'kvm-clock tsc' }), 'Amazon EC2');
  // A metal instance has the cloud's firmware, and is no guest.
  assert.equal(under({ '/proc/cpuinfo': 'flags\t\t: fpu\n', [vendor]: 'Amazon EC2', [product]: 'c7i.metal-24xl' }), null);
  assert.equal(
    under({ '/proc/device-tree/hypervisor/compatible': 'linux,dummy-virt', [clocks]: 'arch_sys_counter' }),
    'unknown hypervisor',
  );
  assert.equal(under({ '/sys/hypervisor/type': 'xen' }), 'Xen');
  assert.equal(under(guest, '5.15.167.4-microsoft-standard-WSL2'), 'WSL');
  assert.equal(under(guest), 'unknown hypervisor');
});

test('the temperature is that of the processor, from its own sensor or its thermal zone', () => {
  const hwmon = (at: number, name: string, value: string) => ({
    [`/sys/class/hwmon/hwmon${at}/name`]: name,
    [`/sys/class/hwmon/hwmon${at}/temp1_input`]: value,
  });
  assert.equal(temperatureOf(reading({ ...hwmon(0, 'nvme', '33850'), ...hwmon(3, 'k10temp', '71250') })), 71.3);
  const zones = { '/sys/class/thermal/thermal_zone0/type': 'acpitz', '/sys/class/thermal/thermal_zone0/temp': '20000' };
  assert.equal(temperatureOf(reading(zones)), null);
  const package_ = { '/sys/class/thermal/thermal_zone2/type': 'x86_pkg_temp', '/sys/class/thermal/thermal_zone2/temp': '54000' };
  assert.equal(temperatureOf(reading({ ...zones, ...package_ })), 54);
  assert.equal(temperatureOf(reading(hwmon(1, 'coretemp', 'n/a'))), null);
});

test('a battery is read where there is one', () => {
  const at = (name: string, status: string) => ({
    [`/sys/class/power_supply/${name}/capacity`]: '83',
    [`/sys/class/power_supply/${name}/status`]: status,
  });
  assert.deepEqual(batteryOf(reading(at('BAT1', 'Discharging'))), { discharging: true, percent: 83 });
  assert.deepEqual(batteryOf(reading(at('BAT0', 'Full'))), { discharging: false, percent: 83 });
  assert.equal(batteryOf(reading(at('hidpp_battery_0', 'Discharging'))), null);
});
