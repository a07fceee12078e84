import type { Redis } from 'ioredis';
import { AttnswapError } from '../contract/errors.ts';
import type { RunRecord } from '../contract/run.ts';
import type { LoadedSuite } from '../loading/suite.ts';
import { oneLine } from '../text/untrusted.ts';
import { jobSchema } from './documents.ts';
import type { End, RunOutcome, RunPlace } from './documents.ts';
import { runKey } from './entries.ts';
import { listHosts } from './hosts.ts';
import { suiteOfJob } from './job-suite.ts';
import { keyring } from './keys.ts';
import type { HostKey } from './keys.ts';
import { readParts, recordOf } from './parts.ts';
import { persistently, RunPublisher } from './publish.ts';
import { readSubmission } from './submissions.ts';

/** A run to measure, and what is there of it. */
export interface Assignment {
  readonly place: RunPlace;
  readonly loaded: LoadedSuite;
  /** What this host measured of it before it was interrupted. */
  readonly resumed: RunRecord | undefined;
  /** Ids of the cells that other hosts measured, a list per host. */
  readonly elsewhere: ReadonlyArray<ReadonlySet<string>>;
}

export interface MeasureHooks {
  readonly signal: AbortSignal;
  /** Called with the whole record after every cell, and at the end. */
  save(record: RunRecord): Promise<void>;
}

/** Measures an assignment alone on this machine; cells in settings that one other host has completed are passed over. */
export type Measure = (assignment: Assignment, hooks: MeasureHooks) => Promise<void>;

/** Who takes runs. */
export interface Taker {
  readonly client: Redis;
  readonly key: HostKey;
  readonly measure: Measure;
  /** Told of what is refused. */
  readonly tell: (what: string) => void;
  /** Told of trouble with the server. */
  readonly trouble: (what: string) => void;
}

/**
 * Measures the run that a job names and writes it, signed. Whatever is wrong with the job, its submission or its suite is told, written as the
 * run's end, and no reason to stop.
 * @throws the signal's reason: the job goes back to the queue
 */
export async function takeRun(taker: Taker, data: unknown, signal: AbortSignal): Promise<RunOutcome> {
  const { client, key, tell } = taker;
  const place = jobSchema.safeParse(data).data;
  if (place === undefined) return dropped(tell, 'a job that names no run');
  const name = `run ${place.run} of ${place.submission}`;
  const patience = { signal, tell: taker.trouble };
  const cancelled = new AbortController();
  let publisher = new RunPublisher(client, key, place, [], patience);
  const end = (outcome: End['outcome'], reason?: string) =>
    publisher
      .end({ outcome, endedAt: new Date().toISOString(), ...(reason !== undefined && { reason: reason.slice(0, 2000) }) })
      .then(() => outcome);
  try {
    const { submission, parts } = await persistently(async () => {
      const isBegun = (await client.exists(runKey(place))) === 1;
      const ring = keyring(isBegun ? [key.publicKey, ...(await listHosts(client)).map(({ publicKey }) => publicKey)] : []);
      return { submission: await readSubmission(client, place.submission), ...(await readParts(client, place, ring)) };
    }, patience);
    if (place.run >= submission.runs.length) throw new AttnswapError('INVALID_FLEET', `the submission has ${submission.runs.length} runs`);
    const loaded = await suiteOfJob(submission.suite);
    const own = parts.find(({ host }) => host === key.id);
    const others = parts.filter(({ host }) => host !== key.id);
    const rank = others.length === 0 ? 0 : 1 + Math.max(...others.map(({ head }) => head?.rank ?? 0));
    publisher = new RunPublisher(client, key, place, own?.cells.values() ?? [], patience);
    const head = own?.head;
    const resumed = own === undefined || head?.suite.sha256 !== loaded.sha256 ? undefined : recordOf({ ...own, head }, head.declared);
    const assignment = { place, loaded, resumed, elsewhere: others.map(({ cells }) => new Set(cells.keys())) };
    await taker.measure(assignment, {
      signal: AbortSignal.any([signal, cancelled.signal]),
      async save(record) {
        if (!(await publisher.save(record, rank))) cancelled.abort();
      },
    });
    signal.throwIfAborted();
    return await (cancelled.signal.aborted ? end('cancelled', 'cancelled') : end('done'));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AttnswapError && error.code === 'UNKNOWN_SUBMISSION') return dropped(tell, `${name}: ${error.message}`);
    if (cancelled.signal.aborted) return await end('cancelled', 'cancelled');
    const reason = oneLine(error instanceof Error ? error.message : String(error));
    tell(`refused ${name}: ${reason}`);
    return await end('refused', reason);
  }
}

function dropped(tell: Taker['tell'], what: string): 'dropped' {
  tell(`refused ${what}`);
  return 'dropped';
}
