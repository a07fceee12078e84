import { hostname } from 'node:os';
import { joinQueue } from '../fleet/join.ts';
import type { Taken } from '../fleet/documents.ts';
import { hostKey } from '../fleet/keys.ts';
import { labelsText, ownLabels, parseLabels } from '../fleet/labels.ts';
import type { Labels } from '../fleet/labels.ts';
import type { QueueAddress } from '../fleet/address.ts';
import type { Measure } from '../fleet/take-run.ts';
import { toolVersion } from '../loading/version.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { settingKey } from '../measure/plan-cells.ts';
import { oneLine } from '../text/untrusted.ts';
import { measurePlanned, planSuite } from './bench.ts';
import { defaults } from './defaults.ts';
import type { OperationOptions } from './options.ts';

export type { Taken } from '../fleet/documents.ts';
export type { QueueAddress } from '../fleet/address.ts';

export interface JoinFleetOptions extends QueueAddress, Omit<OperationOptions, 'wait' | 'command'> {
  /** Labels that submissions select hosts by, such as `gpu=none,rack=3`, in addition to `os`, `arch` and `cpu`. */
  readonly labels?: string | undefined;
  /** @default the host's name */
  readonly name?: string | undefined;
  /** File with the private key that signs the records; created if missing. @default '.attnswap/fleet-key.pem' */
  readonly key?: string | undefined;
  /** Seconds of silence after which the host counts as lost and a host with the same labels may take over its run. @default 60 */
  readonly lostAfterSeconds?: number | undefined;
  /** Threads per operator. @default the runtime's own */
  readonly threads?: number | undefined;
  /** Called once the host has joined. */
  readonly onJoined?: ((host: JoinedHost) => void) | undefined;
}

export interface JoinedHost {
  readonly name: string;
  readonly labels: Labels;
  /** Public key that submitters have to trust. */
  readonly publicKey: string;
}

/**
 * Makes this machine a worker of a fleet until the signal is aborted: it measures one run at a time, as `bench` does, in processes of their own,
 * and waits where another attnswap is measuring.
 * @returns how many runs it took, by how they ended
 * @throws USAGE, UNSUPPORTED without the packages `bullmq` and `ioredis`, FLEET_UNREACHABLE, INVALID_FLEET, FILE_UNWRITABLE
 */
export async function joinFleet(options: JoinFleetOptions): Promise<Taken> {
  const { lostAfterSeconds = defaults.lostAfterSeconds, onProgress, onWarning, onJoined } = options;
  const labels = { ...ownLabels(), ...parseLabels(options.labels ?? '') };
  const name = oneLine(options.name ?? hostname()).slice(0, 80) || 'unnamed';
  const key = await hostKey(options.key ?? defaults.fleetKey);
  const tell = (what: string) => onWarning?.(what);
  const measure: Measure = async ({ place, loaded, resumed, elsewhere }, { signal, save }) => {
    const planned = await planSuite(loaded, options);
    const plans = withoutMeasured(planned.plans, elsewhere);
    const hooks = { ...options, command: ['fleet', 'join', place.submission], signal, wait: true };
    await measurePlanned({ ...planned, plans }, hooks, { resumed, save });
  };
  return joinQueue({
    redis: options.redis,
    insecure: options.insecure,
    key,
    name,
    labels,
    version: await toolVersion(),
    lostAfterMs: 1000 * lostAfterSeconds,
    measure,
    signal: options.signal ?? new AbortController().signal,
    tell,
    onJoined: () => onJoined?.({ name, labels, publicKey: key.publicKey }),
    onIdle: () => onProgress?.({ what: `${name} (${labelsText(labels)}) is waiting for runs`, idle: true }),
  });
}

/** Cells in settings that one other host has measured completely are compared there. */
function withoutMeasured(plans: readonly CellPlan[], elsewhere: ReadonlyArray<ReadonlySet<string>>): readonly CellPlan[] {
  const settings = Map.groupBy(plans, ({ cell }) => settingKey(cell));
  const isMeasured = (of: readonly CellPlan[] = []) => elsewhere.some((ids) => of.every(({ cell }) => ids.has(cell.id)));
  return plans.filter(({ cell }) => !isMeasured(settings.get(settingKey(cell))));
}
