import type { ReadText } from './container-limits.ts';

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
