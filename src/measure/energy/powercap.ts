import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AttnswapError } from '../../contract/errors.ts';

// Energy counters of Linux, Documentation/power/powercap: a zone is a folder with `name`, `energy_uj` and `max_energy_range_uj`.

/** One counter: a processor package, or the memory beside it. */
export interface EnergyZone {
  /** Such as `package-0`. */
  readonly name: string;
  readonly path: string;
  /** Where the counter starts again at 0, microjoules. */
  readonly range: number;
}

export interface EnergyZones {
  /** Whole packages: their cores and graphics are inside, and never added. */
  readonly packages: readonly EnergyZone[];
  /** Memory, which is no part of a package. */
  readonly memory: readonly EnergyZone[];
}

const powercapFolder = '/sys/class/powercap';

/** Ways to the same counters, the best first: a package stands under each that the machine has, and is counted once. */
const interfaces = ['intel-rapl', 'intel-rapl-tpmi', 'intel-rapl-mmio'] as const;

/** The counters of this machine, each read once. @throws UNSUPPORTED with the reason, and the command that mends it where there is one */
export function findEnergyZones(folder: string = powercapFolder): EnergyZones {
  for (const name of interfaces) {
    const zones = zonesOf(folder, name);
    const packages = zones.filter((zone) => zone.name.startsWith('package-'));
    if (packages.length === 0) continue;
    const found = { packages, memory: zones.filter((zone) => zone.name === 'dram') };
    for (const zone of [...found.packages, ...found.memory]) readMicrojoules(zone);
    return found;
  }
  throw new AttnswapError('UNSUPPORTED', `${folder} has no counter of a processor package`, {
    hint: 'Linux on the hardware itself has one (modprobe intel_rapl_msr); most virtual machines have none',
  });
}

/** The packages whose energy can be read here, or why there is none. */
export function energyStatus(): { readonly packages: readonly string[] } | { readonly unavailable: string } {
  try {
    return { packages: findEnergyZones().packages.map(({ name }) => name) };
  } catch (error) {
    return { unavailable: whyUnavailable(error) };
  }
}

/** What an error says of energy that cannot be measured, with its hint. @throws any other error */
export function whyUnavailable(error: unknown): string {
  if (!(error instanceof AttnswapError) || error.code !== 'UNSUPPORTED') throw error;
  return error.hint === undefined ? error.message : `${error.message}; ${error.hint}`;
}

function zonesOf(folder: string, name: string): EnergyZone[] {
  const isZone = new RegExp(`^${name}(:\\d+){1,2}$`);
  return entriesOf(folder)
    .filter((entry) => isZone.test(entry))
    .toSorted()
    .flatMap((entry) => {
      const path = join(folder, entry);
      const range = Number(textOf(join(path, 'max_energy_range_uj')));
      return range > 0 ? [{ name: textOf(join(path, 'name')), path, range }] : [];
    });
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

/** What a counter holds now, microjoules. @throws UNSUPPORTED where it cannot be read */
export function readMicrojoules({ name, path }: EnergyZone): number {
  const file = join(path, 'energy_uj');
  try {
    const text = readFileSync(file, 'utf8').trim();
    if (/^\d{1,15}$/.test(text)) return Number(text);
    throw new AttnswapError('UNSUPPORTED', `${file} holds ${JSON.stringify(text.slice(0, 40))}, expected microjoules`);
  } catch (error) {
    if (error instanceof AttnswapError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const denied = code === 'EACCES' || code === 'EPERM';
    throw new AttnswapError('UNSUPPORTED', `the counter of ${name} cannot be read (${file}: ${code})`, {
      ...(denied && { hint: `sudo chmod a+r ${join(path, '..')}/*/energy_uj (until the next start)` }),
      cause: error,
    });
  }
}

/** What all of the counters hold. */
export function readZones(zones: readonly EnergyZone[]): number[] {
  return zones.map((zone) => readMicrojoules(zone));
}

/** Joules between two readings, each less than one turn of its counter apart. */
export function joulesBetween(zones: readonly EnergyZone[], before: readonly number[], after: readonly number[]): number {
  const micro = zones.map(({ range }, index) => {
    const [from, to] = [before[index]!, after[index]!];
    return to >= from ? to - from : to + range - from;
  });
  return micro.reduce((sum, value) => sum + value, 0) / 1e6;
}
