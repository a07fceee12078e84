import type { BackendSupport } from '../conformance/support.ts';
import { toolVersion } from '../loading/version.ts';
import { energyStatus } from '../measure/energy/powercap.ts';
import { fingerprint } from '../measure/fingerprint.ts';
import type { Fingerprint } from '../measure/fingerprint.ts';
import type { Host } from '../measure/host-schema.ts';
import { describeHost } from '../measure/host.ts';
import { noiseWarnings } from '../measure/noise.ts';
import { supportApart } from '../measure/support-apart.ts';
import { quietSettings } from '../processes/quiet-environment.ts';
import { adaptersOf } from './options.ts';
import type { OperationOptions } from './options.ts';

export type DoctorOptions = Pick<OperationOptions, 'adapters'>;

/** What a machine is, what it can run, and what may disturb a measurement on it. */
export interface DoctorRecord {
  /** Version of attnswap. */
  readonly version: string;
  readonly host: Host;
  readonly fingerprint: Fingerprint;
  readonly backends: readonly BackendSupport[];
  /** Processor packages whose energy counters can be read, or why none can. */
  readonly energy: ReturnType<typeof energyStatus>;
  /** Environment variables that turn off the runtimes' telemetry and downloads, as workers get them. */
  readonly environment: Readonly<Record<string, string>>;
  readonly warnings: ReturnType<typeof noiseWarnings>;
}

/** Reports what this machine can run, what it cannot and why, and the command that fixes it. */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorRecord> {
  const host = await describeHost();
  const backends = await supportApart(adaptersOf(options));
  const version = await toolVersion();
  const identity = fingerprint(host, { node: process.versions.node, attnswap: version });
  const found = { version, host, fingerprint: identity, backends, energy: energyStatus() };
  return { ...found, environment: quietSettings(), warnings: noiseWarnings(host) };
}
