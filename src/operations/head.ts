import type { AdapterEntry } from '../contract/adapter.ts';
import { fingerprint } from '../measure/fingerprint.ts';
import type { Fingerprint } from '../measure/fingerprint.ts';
import { describeHost } from '../measure/host.ts';
import type { Host } from '../measure/host-schema.ts';
import { noiseWarnings } from '../measure/noise.ts';
import { backendStatuses } from '../measure/run-suite.ts';
import { toolVersion } from '../loading/version.ts';
import type { OperationOptions } from './options.ts';

/** What every record says of the program, the machine and the backends that it names. */
export interface RunHead {
  readonly tool: { readonly name: 'attnswap'; readonly version: string };
  readonly command: string[];
  readonly host: Host & { readonly fingerprint: Fingerprint };
  readonly backends: Record<string, unknown>;
  /** What may disturb a measurement now. */
  readonly warnings: string[];
}

/** Looks at the host, unless `described` has begun to, and at the backends, before anything is timed. Tells what may disturb it. */
export async function describeRun(
  backendNames: readonly string[],
  adapters: readonly AdapterEntry[],
  { command = [], onWarning }: OperationOptions,
  described: Promise<Host> = describeHost(),
): Promise<RunHead> {
  const [host, backends] = await Promise.all([described, backendStatuses(adapters, backendNames)]);
  const version = await toolVersion();
  const versions = { node: process.versions.node, attnswap: version, ...versionsOf(backends) };
  const warnings = noiseWarnings(host).map(({ message }) => message);
  for (const warning of warnings) onWarning?.(`noise: ${warning}`);
  return {
    tool: { name: 'attnswap' as const, version },
    command: [...command],
    host: { ...host, fingerprint: fingerprint(host, versions) },
    backends,
    warnings,
  };
}

function versionsOf(backends: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(backends).map(([name, status]) => [
      name,
      typeof status === 'object' && status !== null && 'version' in status ? String(status.version) : 'absent',
    ]),
  );
}
