import * as os from 'node:os';
import { cachesOfFirstProcessor } from './caches.ts';
import { tamed } from '../text/untrusted.ts';
import { readText } from '../processes/control-groups.ts';
import type { ReadText } from '../processes/control-groups.ts';
import { containerLimits } from './container-limits.ts';
import { findGpus } from './gpus.ts';
import { findHeavyProcesses } from './heavy-processes.ts';
import type { Host } from './host-schema.ts';
import { batteryOf, distributionOf, processorOf, temperatureOf, virtualisationOf } from './linux-host.ts';
import type { ProcessorFacts } from './linux-host.ts';

type Missing = Host['missing'];

/** Reads one part of the host; what it throws, or not being done in time, becomes an entry of `missing`. */
type Probe = <Part>(part: string, read: () => Promise<Part>, otherwise: Part) => Promise<Part>;

const isLinux = os.platform() === 'linux';
/** Asks helper programs: only where no file tells. */
const helpers = () => import('systeminformation');

/**
 * Describes this machine. Its parts are read side by side; none can fail the whole, nor hold it up beyond `timeoutMs`, or five times that of
 * what tells machines apart. On Linux it comes from plain files, which a busy machine reads as well, but for GPUs and processors that have no
 * name there. Usually done in a third of a second, most of it watching other processes.
 */
export async function describeHost(options: { readonly timeoutMs?: number } = {}): Promise<Host> {
  const missing: Missing = [];
  const timeoutMs = options.timeoutMs ?? 3000;
  const probe = probeInto(missing, timeoutMs);
  const patient = patiently(probeInto(missing, 5 * timeoutMs));
  const [processor, system, gpus, virtualisation, current] = await Promise.all([
    describeProcessor(probe, patient),
    describeSystem(patient),
    patient('gpus', findGpus, []),
    probe('virtualisation', findVirtualisation, null),
    describeVolatile(probe),
  ]);
  return tamed({
    cpu: processor,
    memoryBytes: os.totalmem(),
    gpus,
    os: system,
    container: containerLimits(readText),
    availableCores: os.availableParallelism(),
    virtualisation,
    volatile: current,
    missing: missing.toSorted((a, b) => (a.part < b.part ? -1 : 1)),
  });
}

/** Parts that outlive their time are left to end by themselves: what they answer then is dropped. */
export function probeInto(missing: Missing, timeoutMs: number): Probe {
  return async (part, read, otherwise) => {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    try {
      return await Promise.race([read(), late]);
    } catch (error) {
      missing.push({ part, reason: error instanceof Error ? error.message : String(error) });
      return otherwise;
    } finally {
      clearTimeout(timer);
    }
  };
}

/** A helper program that failed once is asked once more. */
function patiently(probe: Probe): Probe {
  return (part, read, otherwise) => probe(part, () => read().catch(read), otherwise);
}

async function describeProcessor(probe: Probe, patient: Probe): Promise<Host['cpu']> {
  const [facts, caches] = await Promise.all([patient('cpu', findProcessor, null), probe('caches', findCaches, null)]);
  // Virtual machines hide the marketing name: family, model and stepping still tell the generations apart.
  const revision = facts?.family ? ` (family ${facts.family}, model ${facts.model}, stepping ${facts.stepping})` : '';
  const name = facts ? `${facts.manufacturer} ${facts.brand}`.trim() : (os.cpus()[0]?.model ?? 'unknown');
  return {
    model: name + revision,
    physicalCores: facts?.physicalCores || null,
    logicalCores: os.cpus().length,
    caches: caches ?? { l1dBytes: null, l1iBytes: null, l2Bytes: null, l3Bytes: null },
    governor: readText('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor') ?? null,
    turbo: readTurbo(readText),
  };
}

async function findCaches(): Promise<Host['cpu']['caches']> {
  if (isLinux) return cachesOfFirstProcessor(readText);
  const { l1d, l1i, l2, l3 } = await (await helpers()).cpuCache();
  return { l1dBytes: l1d || null, l1iBytes: l1i || null, l2Bytes: l2 || null, l3Bytes: l3 || null };
}

async function findProcessor(): Promise<ProcessorFacts> {
  return (isLinux ? processorOf(readText) : undefined) ?? (await helpers()).cpu();
}

/** Intel's driver says when turbo is off, the generic one when boost is on; null where neither is there. */
export function readTurbo(read: ReadText): boolean | null {
  const off = read('/sys/devices/system/cpu/intel_pstate/no_turbo');
  if (off !== undefined) return off === '0';
  const boost = read('/sys/devices/system/cpu/cpufreq/boost');
  return boost === undefined ? null : boost === '1';
}

async function describeSystem(patient: Probe): Promise<Host['os']> {
  const find = async () => (isLinux ? distributionOf(readText) : undefined) ?? (await helpers()).osInfo();
  const facts = await patient('os', find, null);
  return {
    platform: os.platform(),
    arch: os.arch(),
    distribution: facts?.distro ?? os.type(),
    release: facts?.release ?? 'unknown',
    kernel: os.release(),
  };
}

async function findVirtualisation(): Promise<string | null> {
  if (isLinux) return virtualisationOf(readText, os.release());
  const { virtual, virtualHost, model } = await (await helpers()).system();
  if (!virtual) return null;
  return virtualHost || model || 'unknown hypervisor';
}

async function describeVolatile(probe: Probe): Promise<Host['volatile']> {
  // Taken first, so that the probes' own work is no part of it.
  const load = os.loadavg();
  const [heavyProcesses, battery, temperatureCelsius] = await Promise.all([
    probe('processes', findHeavyProcesses, []),
    probe('battery', findBattery, null),
    probe('temperature', findTemperature, null),
  ]);
  return {
    cpuMhz: currentMhz(),
    bootTime: new Date(Date.now() - os.uptime() * 1000).toISOString(),
    freeMemoryBytes: os.freemem(),
    loadAverages: os.platform() === 'win32' ? null : [load[0] ?? 0, load[1] ?? 0, load[2] ?? 0],
    heavyProcesses,
    battery,
    temperatureCelsius,
  };
}

async function findBattery(): Promise<Host['volatile']['battery']> {
  if (isLinux) return batteryOf(readText);
  const { hasBattery, acConnected, percent } = await (await helpers()).battery();
  return hasBattery ? { discharging: !acConnected, percent } : null;
}

async function findTemperature(): Promise<number | null> {
  return isLinux ? temperatureOf(readText) : (await (await helpers()).cpuTemperature()).main;
}

/** Mean over the processors, MHz. Virtual machines often have no frequency driver, and /proc/cpuinfo alone says one. */
function currentMhz(): number | null {
  const driver = os.cpus().map(({ speed }) => speed);
  const listed = [...(readText('/proc/cpuinfo') ?? '').matchAll(/^cpu MHz\s*:\s*([\d.]+)/gm)].map((match) => Number(match[1]));
  const speeds = driver.some((speed) => speed > 0) ? driver : listed;
  return Math.round(speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length) || null;
}
