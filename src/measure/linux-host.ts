import type { ReadText } from '../processes/control-groups.ts';

// What Linux's own files say of a machine, in the words of systeminformation, so that records of either compare: that asks helper programs,
// which a busy machine does not answer in time.

export interface ProcessorFacts {
  readonly manufacturer: string;
  readonly brand: string;
  readonly family: string;
  readonly model: string;
  readonly stepping: string;
  readonly physicalCores: number;
}

const makers: ReadonlyArray<readonly [string, string]> = [
  ['intel', 'Intel'],
  ['amd', 'AMD'],
  ['qemu', 'QEMU'],
  ['hygon', 'Hygon'],
  ['centaur', 'WinChip/Via'],
  ['vmware', 'VMware'],
  ['tcg', 'QEMU'],
];

/** From /proc/cpuinfo; undefined where that names no model, as on ARM. */
export function processorOf(read: ReadText): ProcessorFacts | undefined {
  const processors = (read('/proc/cpuinfo') ?? '').split('\n\n').map(fieldsOf);
  const [first] = processors;
  const name = first?.get('model name');
  if (first === undefined || name === undefined) return undefined;
  const cores = new Set(processors.flatMap((each) => (each.has('core id') ? [`${each.get('physical id')} ${each.get('core id')}`] : [])));
  const [family = '', model = '', stepping = ''] = ['cpu family', 'model', 'stepping'].map((field) => first.get(field));
  return { ...named(name), family, model, stepping, physicalCores: cores.size };
}

function fieldsOf(lines: string): Map<string, string> {
  return new Map(lines.split('\n').map((line) => [line.split(':')[0]!.trim(), line.split(':').slice(1).join(':').trim()]));
}

function named(text: string): Pick<ProcessorFacts, 'manufacturer' | 'brand'> {
  const name = text
    .split('@')[0]!
    .split('Unknown')[0]!
    .replaceAll(/\(R\)+/g, '®')
    .replaceAll(/\(TM\)+/g, '™')
    .replaceAll(/\(C\)+/g, '©')
    .replaceAll(/CPU+/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  const manufacturer = makers.findLast(([part]) => name.toLowerCase().includes(part))?.[1] ?? name;
  return { manufacturer, brand: name.split(' ').slice(1).join(' ') };
}

/** Files that name the distribution; of a field that several have, the last one holds. */
const releaseFiles = ['/etc/lsb-release', '/etc/os-release', '/usr/lib/os-release'] as const;

/** The distribution's name and release; undefined where no file names one. */
export function distributionOf(read: ReadText): { readonly distro: string; readonly release: string } | undefined {
  const lines = releaseFiles.flatMap((path) => (read(path) ?? '').split('\n')).filter((line) => line.includes('='));
  const fields = new Map(lines.map((line) => [line.split('=')[0]!.trim().toUpperCase(), line.split('=')[1]!.trim().replaceAll('"', '')]));
  const distro = fields.get('DISTRIB_ID') || fields.get('NAME');
  if (distro === undefined || distro === '') return undefined;
  const pretty = fields.get('PRETTY_NAME') ?? '';
  const version = pretty.startsWith(`${distro} `) ? pretty.slice(distro.length + 1) : (fields.get('VERSION') ?? '');
  const release = version.split('(')[0]!.trim() || fields.get('DISTRIB_RELEASE') || fields.get('VERSION_ID') || 'unknown';
  return { distro, release };
}

/** Makers of virtual machines, by what firmware calls itself. */
const virtualFirmware: ReadonlyArray<readonly [string, string]> = [
  ['vmware', 'VMware'],
  ['virtualbox', 'VirtualBox'],
  ['innotek', 'VirtualBox'],
  ['xen', 'Xen'],
  ['bochs', 'Bochs'],
  ['kvm', 'KVM'],
  ['qemu', 'QEMU'],
  ['amazon ec2', 'Amazon EC2'],
  ['google', 'Google Compute Engine'],
  ['virtual machine', 'Hyper-V'],
  ['droplet', 'DigitalOcean'],
];

/**
 * What this system runs under, if it is a guest: from the clock that the hypervisor offers, the kernel's name, the firmware's, or the flag that
 * processors show to guests. Metal instances of a cloud have its firmware and no such flag.
 */
export function virtualisationOf(read: ReadText, release: string): string | null {
  if (/microsoft/i.test(release)) return 'WSL';
  const isGuest =
    /^flags\s*:.*\bhypervisor\b/m.test(read('/proc/cpuinfo') ?? '') || read('/proc/device-tree/hypervisor/compatible') !== undefined;
  if (!isGuest) return read('/sys/hypervisor/type') === 'xen' ? 'Xen' : null;
  const firmware = ['sys_vendor', 'product_name'].map((file) => read(`/sys/devices/virtual/dmi/id/${file}`) ?? '').join(' ');
  const named = virtualFirmware.find(([part]) => firmware.toLowerCase().includes(part))?.[1];
  if (named !== undefined) return named;
  const clocks = read('/sys/devices/system/clocksource/clocksource0/available_clocksource') ?? '';
  if (clocks.includes('kvm')) return 'KVM';
  if (clocks.includes('hyperv')) return 'Hyper-V';
  return clocks.includes('xen') ? 'Xen' : 'unknown hypervisor';
}

/** Drivers of a processor's own sensor, whose first reading is that of the whole package. */
const processorSensors = ['coretemp', 'k10temp', 'zenpower', 'cpu_thermal', 'soc_thermal'];
const mostSensors = 64;

/** Of the processor, degrees Celsius: hwmon counts thousandths. */
export function temperatureOf(read: ReadText): number | null {
  const places = Array.from({ length: mostSensors }, (_, at) => at);
  const sensor = places.find((at) => processorSensors.includes(read(`/sys/class/hwmon/hwmon${at}/name`) ?? ''));
  const zone = places.find((at) => /cpu|x86_pkg/i.test(read(`/sys/class/thermal/thermal_zone${at}/type`) ?? ''));
  const text =
    (sensor === undefined ? undefined : read(`/sys/class/hwmon/hwmon${sensor}/temp1_input`)) ??
    (zone === undefined ? undefined : read(`/sys/class/thermal/thermal_zone${zone}/temp`));
  return text !== undefined && /^-?\d+$/.test(text) ? Math.round(Number(text) / 100) / 10 : null;
}

/** Of the first battery that powers the machine, not a mouse. */
export function batteryOf(read: ReadText): { readonly discharging: boolean; readonly percent: number } | null {
  for (const name of ['BAT0', 'BAT1', 'BATT', 'battery']) {
    const [capacity, status] = ['capacity', 'status'].map((file) => read(`/sys/class/power_supply/${name}/${file}`));
    if (capacity !== undefined && /^\d{1,3}$/.test(capacity)) return { discharging: status === 'Discharging', percent: Number(capacity) };
  }
  return null;
}
