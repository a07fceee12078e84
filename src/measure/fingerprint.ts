import { createHash } from 'node:crypto';
import type { Host } from './host-schema.ts';

/** What must agree for times and memory of two runs to be comparable. Field order is part of the hash. A part that could not be read is undefined. */
export interface Identity {
  readonly cpu: string | undefined;
  readonly physicalCores: number | null | undefined;
  readonly logicalCores: number;
  readonly availableCores: number;
  /** The next power of two, GiB: machines report a little less than what is built in. */
  readonly memoryClassGib: number;
  readonly gpus: readonly string[] | undefined;
  readonly system: string | undefined;
  readonly kernelMajor: string;
  readonly cpuLimit: number | null;
  readonly memoryLimitBytes: number | null;
  readonly governor: string | null;
  readonly turbo: boolean | null;
  readonly versions: Readonly<Record<string, string>>;
}

export interface Fingerprint {
  /** Over the identity, 64 hexadecimal digits. */
  readonly sha256: string;
  /** The first 12 of them. */
  readonly short: string;
  readonly identity: Identity;
}

/** Fingerprints a host with the versions of what runs on it, such as `{ node: '24.1.0', 'onnx-cpu': '1.30.0' }`. */
export function fingerprint(host: Host, versions: Readonly<Record<string, string>>): Fingerprint {
  const identity = identityOf(host, versions);
  const sha256 = createHash('sha256').update(JSON.stringify(identity)).digest('hex');
  return { sha256, short: sha256.slice(0, 12), identity };
}

function identityOf(host: Host, versions: Readonly<Record<string, string>>): Identity {
  const unread = new Set(host.missing.map(({ part }) => part));
  const read = <Value>(part: string, value: Value) => (unread.has(part) ? undefined : value);
  return {
    cpu: read('cpu', host.cpu.model),
    physicalCores: read('cpu', host.cpu.physicalCores),
    logicalCores: host.cpu.logicalCores,
    availableCores: host.availableCores,
    memoryClassGib: memoryClassGib(host.memoryBytes),
    // The order in which devices are found is not theirs.
    gpus: read('gpus', host.gpus.map(({ vendor, model, driver }) => `${vendor} ${model} (driver ${driver ?? 'unknown'})`).toSorted()),
    system: read('os', `${host.os.platform} ${host.os.arch}, ${host.os.distribution} ${major(host.os.release)}`),
    kernelMajor: major(host.os.kernel),
    cpuLimit: host.container.cpus,
    memoryLimitBytes: host.container.memoryBytes,
    governor: host.cpu.governor,
    turbo: host.cpu.turbo,
    versions: Object.fromEntries(Object.entries(versions).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** Some firmware reports a little more than the power of two: 2 % is let through. */
function memoryClassGib(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes / 2 ** 30 / 1.02));
}

function major(version: string): string {
  return version.split('.')[0] ?? version;
}
