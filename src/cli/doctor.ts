import { supportOf } from '../conformance/support.ts';
import type { BackendSupport } from '../conformance/support.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import { fingerprint } from '../measure/fingerprint.ts';
import { describeHost } from '../measure/host.ts';
import type { Host } from '../measure/host-schema.ts';
import { noiseWarnings } from '../measure/noise.ts';
import { probedApart } from '../measure/probed-apart.ts';
import { quietSettings } from '../processes/quiet-environment.ts';
import { exitCodes, print, printJson } from './console.ts';
import type { CommonFlags, ExitCode } from './console.ts';
import { printable } from './format.ts';
import { size } from '../text/figures.ts';
import { wrapped } from '../text/layout.ts';
import { toolVersion } from './load-suite.ts';

/** What this machine can run, what it cannot, why, and the command that mends it. */
export async function doctor(flags: CommonFlags, adapters: readonly AdapterEntry[]): Promise<ExitCode> {
  const host = await describeHost();
  const warnings = noiseWarnings(host);
  const backends = await supportOf(adapters.map(probedApart));
  const version = await toolVersion();
  const identity = fingerprint(host, { node: process.versions.node, attnswap: version });
  if (flags.json === true) printJson({ version, host, fingerprint: identity, backends, environment: quietSettings(), warnings });
  else
    print(
      [
        `attnswap ${version} · Node ${process.versions.node} · fingerprint ${identity.short}`,
        '',
        ...backendLines(backends),
        '',
        ...hostLines(host),
        '',
        ...quietLines(),
        '',
        ...noiseLines(warnings),
      ].join('\n'),
    );
  return exitCodes.pass;
}

function backendLines(backends: readonly BackendSupport[]): string[] {
  return backends.flatMap(({ backend, status, kernels }) => {
    if (!status.available)
      return [`✗ ${backend}: ${printable(status.reason)}`, ...(status.mend === '' ? [] : [`    mend: ${status.mend}`])];
    const threads = status.threads === null ? '' : `, ${status.threads} threads`;
    const details = Object.entries(status.details ?? {}).map(([name, words]) => `    ${printable(name)}: ${printable(words)}`);
    return [
      `✓ ${backend}: ${printable(status.version)}, ${printable(status.device)}${threads}, ${status.dtypes.join(' ')}`,
      ...details,
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
  return reasons.map((reason) => `    no ${kernelNames(missing.filter((kernel) => kernel.reason === reason))}: ${printable(reason)}`);
}

function hostLines({ cpu, memoryBytes, gpus, os, container, virtualisation, volatile, missing }: Host): string[] {
  const cache = (bytes: number | null) => (bytes === null ? '?' : size(bytes));
  const gpu = gpus.map(({ model, driver }) => `${model} (driver ${driver ?? 'unknown'})`).join(', ');
  return [
    `CPU      ${printable(cpu.model)}, ${cpu.physicalCores ?? '?'} cores, ${cpu.logicalCores} threads; L2 ${cache(cpu.caches.l2Bytes)}, L3 ${cache(cpu.caches.l3Bytes)}`,
    `clock    governor ${cpu.governor ?? 'not visible'}, turbo ${cpu.turbo === null ? 'not visible' : cpu.turbo ? 'on' : 'off'}`,
    `memory   ${size(memoryBytes)}, ${size(volatile.freeMemoryBytes)} free`,
    `GPU      ${printable(gpu) || 'none found'}`,
    `system   ${os.distribution} ${os.release}, kernel ${os.kernel}, ${os.arch}; ${virtualisation ?? 'no virtualisation seen'}`,
    `limits   ${container.cpus === null ? 'no CPU quota' : `${container.cpus} CPUs`}, ${container.memoryBytes === null ? 'no memory limit' : size(container.memoryBytes)}`,
    `load     ${volatile.loadAverages?.join(' ') ?? 'not visible'}`,
    ...missing.map(({ part, reason }) => `unread   ${part}: ${reason}`),
  ];
}

function quietLines(): string[] {
  const settings = Object.entries(quietSettings()).map(([name, value]) => `${name}=${printable(value)}`);
  return ['telemetry and downloads of runtimes are off unless you set these variables yourself:', wrapped(settings.join(' '), '    ')];
}

function noiseLines(warnings: ReturnType<typeof noiseWarnings>): string[] {
  if (warnings.length === 0) return ['noise: nothing seen that would disturb a measurement'];
  return warnings.flatMap(({ message, hint }) => [`noise: ${message}`, `    ${hint}`]);
}
