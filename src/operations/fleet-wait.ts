import { waitForRuns } from '../fleet/wait.ts';
import type { WaitedRun } from '../fleet/documents.ts';
import { trustedKeys } from '../fleet/keys.ts';
import { connect } from '../fleet/redis.ts';
import type { QueueAddress } from '../fleet/address.ts';
import { readSubmission } from '../fleet/submissions.ts';
import { writeJson } from '../files/json.ts';
import { requireWritableFolder } from '../files/writable.ts';
import { defaults } from './defaults.ts';
import type { OperationOptions } from './options.ts';

export interface WaitForFleetOptions extends QueueAddress, Pick<OperationOptions, 'onProgress' | 'onWarning' | 'signal'> {
  /** Id returned by `submitToFleet`. */
  readonly submission: string;
  /** Folder for the run records. @default 'runs' */
  readonly dir?: string | undefined;
  /** File with the public keys of trusted hosts, one per line. @default '.attnswap/fleet-trust' */
  readonly trust?: string | undefined;
  /** Seconds without a suitable host before a run is given up. @default 120 */
  readonly giveUpSeconds?: number | undefined;
}

/** What came of a submission. */
export interface FleetResult {
  readonly submission: string;
  readonly suite: string;
  /** Whether every declared cell of every run is in one of the records. */
  readonly complete: boolean;
  readonly runs: readonly FetchedRun[];
}

export interface FetchedRun extends Omit<WaitedRun, 'records'> {
  /** One per host that measured cells of the run: its own host, or one that took over. */
  readonly records: ReadonlyArray<FetchedRecord>;
}

export interface FetchedRecord {
  readonly file: string;
  readonly host: string;
  readonly cells: number;
  /** Cells that failed, timed out, or gave a wrong output. */
  readonly failed: number;
  readonly unsupported: number;
}

/**
 * Waits until every run of a submission has ended or is given up, and writes what was measured: one run record per host and repeat, each complete
 * or with its missing cells named. It can be called again, and at any time later.
 * @throws USAGE, UNSUPPORTED, FLEET_UNREACHABLE, UNKNOWN_SUBMISSION, INVALID_FLEET, FILE_UNREADABLE, FILE_UNWRITABLE, INTERRUPTED
 */
export async function waitForFleet(options: WaitForFleetOptions): Promise<FleetResult> {
  const { submission: id, dir = defaults.fleetRuns, trust = defaults.fleetTrust, giveUpSeconds = defaults.giveUpSeconds } = options;
  const trusted = await trustedKeys(trust);
  await requireWritableFolder(dir);
  const client = await connect(options);
  try {
    const submission = await readSubmission(client, id);
    const suite = 'data' in submission.suite ? submission.suite.data.name : submission.suite.name;
    const runs: FetchedRun[] = [];
    const found = waitForRuns(client, {
      id,
      submission,
      trusted,
      giveUpMs: 1000 * giveUpSeconds,
      tell: options.onWarning,
      signal: options.signal,
    });
    for await (const { records, ...run } of found) {
      const files: FetchedRecord[] = [];
      for (const { host, hostId, record } of records) {
        const name = `${host.replaceAll(/[^A-Za-z0-9-]+/g, '-').slice(0, 40)}-${hostId.slice(0, 6)}`;
        const file = `${dir}/${suite}.${id}.${name}.${run.number + 1}.run.json`;
        await writeJson(file, record);
        const count = (...statuses: readonly string[]) => record.cells.filter(({ status }) => statuses.includes(status)).length;
        files.push({
          file,
          host,
          cells: record.cells.length,
          failed: count('failed', 'timed-out', 'mismatch'),
          unsupported: count('unsupported'),
        });
      }
      runs.push({ ...run, records: files });
      options.onProgress?.({ what: suite, done: runs.length, total: submission.runs.length });
    }
    runs.sort((a, b) => a.number - b.number);
    return { submission: id, suite, complete: runs.every(({ missing }) => missing !== 'all' && missing.length === 0), runs };
  } finally {
    client.disconnect();
  }
}
