import { listHosts } from '../fleet/hosts.ts';
import { connect, refusedByRedis } from '../fleet/redis.ts';
import type { QueueAddress } from '../fleet/address.ts';
import { cancelRuns, endedRuns, readSubmission, submissionIds } from '../fleet/submissions.ts';

/** Who is in a fleet, and what it was given to do. */
export interface FleetStatus {
  readonly hosts: readonly FleetHost[];
  /** Newest first. */
  readonly submissions: readonly FleetSubmission[];
}

export interface FleetHost {
  readonly name: string;
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly publicKey: string;
  readonly version: string;
  /** What it is doing now; null if it is lost. */
  readonly doing: string | null;
}

export interface FleetSubmission {
  readonly id: string;
  readonly suite: string;
  readonly submittedAt: string;
  readonly runs: number;
  readonly ended: number;
  readonly cancelled: boolean;
}

/** Hosts and submissions of a fleet. @throws USAGE, UNSUPPORTED, FLEET_UNREACHABLE, INVALID_FLEET */
export async function fleetStatus(options: QueueAddress): Promise<FleetStatus> {
  const client = await connect(options);
  try {
    const hosts = await listHosts(client);
    const submissions: FleetSubmission[] = [];
    for (const id of await submissionIds(client)) {
      const found = await readSubmission(client, id).catch(() => undefined); // One that is damaged or gone hides no other.
      if (found === undefined) continue;
      const { ended, cancelled } = await endedRuns(client, id);
      const suite = 'data' in found.suite ? found.suite.data.name : found.suite.name;
      submissions.push({ id, suite, submittedAt: found.submittedAt, runs: found.runs.length, ended: ended.size, cancelled });
    }
    return {
      hosts: hosts.map(({ name, id, labels, publicKey, version, doing = null }) => ({ name, id, labels, publicKey, version, doing })),
      submissions,
    };
  } catch (error) {
    throw refusedByRedis(error, 'nothing was changed');
  } finally {
    client.disconnect();
  }
}

export interface CancelOptions extends QueueAddress {
  readonly submission: string;
}

/**
 * Takes the runs of a submission that have not begun out of the queue; one that is measured ends with its cell, and what was measured stays.
 * @returns how many runs were taken out
 * @throws USAGE, UNSUPPORTED, FLEET_UNREACHABLE, UNKNOWN_SUBMISSION, INVALID_FLEET
 */
export async function cancelSubmission({ submission, ...address }: CancelOptions): Promise<number> {
  const client = await connect(address);
  try {
    return await cancelRuns(client, address, submission);
  } catch (error) {
    throw refusedByRedis(error, 'some runs may still be queued');
  } finally {
    client.disconnect();
  }
}
