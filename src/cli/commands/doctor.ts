import type { BackendSupport } from '../../conformance/support.ts';
import type { Host } from '../../measure/host-schema.ts';
import type { DoctorRecord } from '../../operations/doctor.ts';
import { quotaThreads } from '../../processes/cpu-quota.ts';
import { digits, size } from '../../text/figures.ts';
import { wrapped } from '../../text/layout.ts';
import { visible } from '../../text/untrusted.ts';
import { exitCodes, print, printJson } from '../console.ts';
import { defineCommand } from '../declare.ts';
import { adaptersFrom, moreBackends } from '../options.ts';
import { json, outputs, writeOutputs } from '../outputs.ts';

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'show what this machine can run, what is missing and how to fix it',
  arguments: {},
  options: { out: outputs(['.json'], 'write the findings'), ...moreBackends },
  examples: ['attnswap doctor', "attnswap doctor --worker 'python3 my_worker.py' --json"],
  async run({ out = [], ...given }) {
    const { doctor: examine } = await import('../../operations/doctor.ts');
    const record = await examine({ adapters: await adaptersFrom(given) });
    if (given.json === true) printJson(record);
    else print(text(record));
    await writeOutputs(out, { '.json': json(record) }, given);
    return exitCodes.pass;
  },
});

function text({ version, fingerprint, backends, host, energy, environment, warnings }: DoctorRecord): string {
  return [
    `attnswap ${version} · Node ${process.versions.node} · fingerprint ${fingerprint.short}`,
    '',
    ...backendLines(backends),
    '',
    ...hostLines(host),
    `energy   processor packages: ${'packages' in energy ? energy.packages.map((name) => visible(name)).join(', ') : `unavailable: ${visible(energy.unavailable)}`}`,
    '',
    ...quietLines(environment),
    '',
    ...noiseLines(warnings),
  ].join('\n');
}

function backendLines(backends: readonly BackendSupport[]): string[] {
  return backends.flatMap(({ backend, status, kernels }) => {
    if (!status.available) return [`✗ ${backend}: ${visible(status.reason)}`, ...(status.mend === '' ? [] : [`    fix: ${status.mend}`])];
    const threads = status.threads === null ? '' : `, ${status.threads} ${status.threads === 1 ? 'thread' : 'threads'}`;
    const details = Object.entries(status.details ?? {}).map(([name, words]) => `    ${visible(name)}: ${visible(words)}`);
    return [
      `✓ ${backend}: ${visible(status.version)}, ${visible(status.device)}${threads}, ${status.dtypes.join(' ')}`,
      ...details,
      ...(status.energyCounter === undefined ? [] : [`    energy: ${visible(status.energyCounter)}`]),
      `    kernels: ${kernelNames(kernels.filter(({ state }) => state === 'runs'))}`,
      ...lacking(kernels),
    ];
  });
}

const kernelNames = (kernels: BackendSupport['kernels']) => kernels.map(({ variant, kernel }) => `${variant}.${kernel}`).join(' ');

/** What the backend lacks, by reason. */
function lacking(kernels: BackendSupport['kernels']): string[] {
  const missing = kernels.filter(({ state }) => state === 'lacks');
  const reasons = [...new Set(missing.map(({ reason = '' }) => reason))];
  return reasons.map((reason) => `    no ${kernelNames(missing.filter((kernel) => kernel.reason === reason))}: ${visible(reason)}`);
}

function hostLines({ cpu, memoryBytes, gpus, os, container, virtualisation, volatile, missing }: Host): string[] {
  const cache = (bytes: number | null) => (bytes === null ? '?' : size(bytes));
  const gpu = gpus.map(({ model, driver }) => `${model} (driver ${driver ?? 'unknown'})`).join(', ');
  return [
    `CPU      ${visible(cpu.model)}, ${cpu.physicalCores ?? '?'} cores, ${cpu.logicalCores} threads; L2 ${cache(cpu.caches.l2Bytes)}, L3 ${cache(cpu.caches.l3Bytes)}`,
    `clock    governor ${cpu.governor ?? 'not visible'}, turbo ${cpu.turbo === null ? 'not visible' : cpu.turbo ? 'on' : 'off'}`,
    `memory   ${size(memoryBytes)}, ${size(volatile.freeMemoryBytes)} free`,
    `GPU      ${visible(gpu) || 'none found'}`,
    `system   ${os.distribution} ${os.release}, kernel ${os.kernel}, ${os.arch}; ${virtualisation ?? 'no virtualization detected'}`,
    `limits   ${container.cpus === null ? 'no CPU quota' : quotaText(container.cpus)}, ${container.memoryBytes === null ? 'no memory limit' : size(container.memoryBytes)}`,
    `load     ${volatile.loadAverages?.join(' ') ?? 'not visible'}`,
    ...missing.map(({ part, reason }) => `unread   ${part}: ${reason}`),
  ];
}

/** A quota, and the threads that runtimes get where it leaves them fewer than they take by themselves. */
function quotaText(cpus: number): string {
  const threads = quotaThreads('processor');
  const left = threads === undefined ? '' : ` (at most ${threads} ${threads === 1 ? 'thread' : 'threads'} unless set otherwise)`;
  return `CPU quota of ${digits(cpus)} processors${left}`;
}

function quietLines(environment: DoctorRecord['environment']): string[] {
  const settings = Object.entries(environment).map(([name, value]) => `${name}=${visible(value)}`);
  return ['runtime telemetry and downloads are off unless you set these variables yourself:', wrapped(settings.join(' '), '    ')];
}

function noiseLines(warnings: DoctorRecord['warnings']): string[] {
  if (warnings.length === 0) return ['noise: nothing found that would disturb measurements'];
  return warnings.flatMap(({ message, hint }) => [`noise: ${message}`, `    ${hint}`]);
}
