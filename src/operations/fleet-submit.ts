import { AttnswapError } from '../contract/errors.ts';
import { mostRuns } from '../fleet/documents.ts';
import { listHosts } from '../fleet/hosts.ts';
import type { ListedHost } from '../fleet/hosts.ts';
import { jobSuite } from '../fleet/job-suite.ts';
import { trustedKeys } from '../fleet/keys.ts';
import { isSelected, parseSelector } from '../fleet/labels.ts';
import { connect, refusedByRedis } from '../fleet/redis.ts';
import type { QueueAddress } from '../fleet/address.ts';
import { queueRuns } from '../fleet/submissions.ts';
import { loadSuite } from '../loading/suite.ts';
import { defaults } from './defaults.ts';
import type { OperationOptions } from './options.ts';

export interface SubmitOptions extends QueueAddress, Pick<OperationOptions, 'onWarning'> {
  /** Name of a built-in suite, or the path of a suite file without adapters, workers and captured inputs. */
  readonly suite: string;
  /** Labels that hosts must have, such as `cpu=*epyc*,gpu=none`. @default all joined hosts */
  readonly on?: string | undefined;
  /** Runs per host. @default 1 */
  readonly repeat?: number | undefined;
  /** File with the public keys of trusted hosts, one per line. @default '.attnswap/fleet-trust' */
  readonly trust?: string | undefined;
}

export interface SubmittedRuns {
  readonly submission: string;
  readonly suite: string;
  readonly hosts: ReadonlyArray<{ readonly name: string; readonly id: string }>;
  readonly repeat: number;
}

/**
 * Queues runs of a suite at the hosts that are there, trusted and selected: all of them or none.
 * @throws UNKNOWN_SUITE, INVALID_SUITE, USAGE, UNSUPPORTED, FLEET_UNREACHABLE, INVALID_FLEET
 */
export async function submitToFleet(options: SubmitOptions): Promise<SubmittedRuns> {
  const { repeat = 1, trust = defaults.fleetTrust } = options;
  const loaded = await loadSuite(options.suite);
  const suite = jobSuite(options.suite, loaded);
  const selector = options.on === undefined ? [] : parseSelector(options.on);
  const trusted = await trustedKeys(trust);
  const client = await connect(options);
  try {
    const all = await listHosts(client).catch((error: unknown) => {
      throw refusedByRedis(error, 'nothing was submitted');
    });
    const selected = all.filter((host) => host.doing !== undefined && isSelected(host, selector));
    const hosts = selected.filter(({ id }) => trusted.has(id));
    for (const { name, publicKey } of selected.filter((host) => !hosts.includes(host)))
      options.onWarning?.(`${name} is left out: ${trust} does not contain its key ${publicKey}`);
    if (hosts.length === 0) throw noHosts(all, selected, trust);
    const runs = hosts.flatMap(({ id }) => Array.from({ length: repeat }, (_, index) => ({ host: id, repeat: index + 1 })));
    if (runs.length > mostRuns)
      throw new AttnswapError('USAGE', `${runs.length} runs, expected at most ${mostRuns}`, { hint: '--on selects hosts' });
    const submission = await queueRuns(client, options, { suite, submittedAt: new Date().toISOString(), runs });
    return { submission, suite: loaded.suite.name, hosts: hosts.map(({ name, id }) => ({ name, id })), repeat };
  } finally {
    client.disconnect();
  }
}

function noHosts(all: readonly ListedHost[], selected: readonly ListedHost[], trust: string): AttnswapError {
  const alive = all.filter(({ doing }) => doing !== undefined).length;
  const found =
    selected.length > 0
      ? `${selected.length} hosts match, but ${trust} trusts none of them`
      : `no host matches; ${alive} of the ${all.length} hosts that joined are online`;
  return new AttnswapError('INVALID_FLEET', `${found}: nothing was submitted`, {
    hint: 'attnswap fleet status lists hosts, labels and keys',
  });
}
