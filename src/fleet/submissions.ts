import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { AttnswapError } from '../contract/errors.ts';
import { recordReader } from '../files/read-record.ts';
import { connectionOptions } from './address.ts';
import type { QueueAddress } from './address.ts';
import { submissionIdPattern, submissionSchema } from './documents.ts';
import type { Submission } from './documents.ts';
import { boundedHash, boundedText, fleetKey, keptSeconds, most, prefix, untrustedJson } from './entries.ts';
import { connect, loadBullmq, refusedByRedis } from './redis.ts';

const submissionKey = (id: string): string => fleetKey('submission', id);
const submissionsKey = fleetKey('submissions');
/** Which runs of a submission ended; and `cancelled`. */
export const endedKey = (id: string): string => fleetKey('ended', id);
export const cancelledField = 'cancelled';

/** How often a run may be lost with its worker, or put back, before it is given up. */
const mostAttempts = 1000;
export const queueOptions = { prefix, maxStalledCount: mostAttempts } as const;

const jobId = (submission: string, run: number): string => `${submission}-${run}`;
/** Where BullMQ keeps a job until it has ended. */
export const jobKey = (host: string, submission: string, run: number): string => `${prefix}:${host}:${jobId(submission, run)}`;

/** Runs that wait in a host's queue, or are measured. */
export async function queuedAt(client: Redis, host: string): Promise<number> {
  const [waiting, active] = await Promise.all([client.llen(`${prefix}:${host}:wait`), client.llen(`${prefix}:${host}:active`)]);
  return waiting + active;
}

/**
 * Queues the runs of a submission, each at its host: all of them or none.
 * @returns the submission's id
 * @throws UNSUPPORTED, FLEET_UNREACHABLE
 */
export async function queueRuns(client: Redis, address: QueueAddress, submission: Submission): Promise<string> {
  const { FlowProducer } = await loadBullmq();
  const id = BigInt(`0x${randomBytes(8).toString('hex')}`)
    .toString(36)
    .padStart(12, '0')
    .slice(-12);
  const producer = new FlowProducer({ connection: connectionOptions(address), prefix, skipVersionCheck: true });
  producer.on('error', () => undefined); // What a call throws is told.
  try {
    await client.set(submissionKey(id), JSON.stringify(submission), 'EX', keptSeconds);
    await client.zadd(submissionsKey, Date.now(), id);
    const opts = { attempts: mostAttempts, removeOnComplete: true, removeOnFail: true };
    await producer.addBulk(
      submission.runs.map(({ host }, run) => ({
        name: 'run',
        queueName: host,
        data: { submission: id, run },
        opts: { ...opts, jobId: jobId(id, run) },
      })),
    );
    return id;
  } catch (error) {
    await client.del(submissionKey(id)).catch(() => undefined);
    await client.zrem(submissionsKey, id).catch(() => undefined);
    throw refusedByRedis(error, 'nothing was submitted');
  } finally {
    await producer.close().catch(() => undefined);
  }
}

const read = recordReader(submissionSchema, { code: 'INVALID_FLEET', hint: 'it was written by another version, or by something else' });

/** @throws UNKNOWN_SUBMISSION, INVALID_FLEET */
export async function readSubmission(client: Redis, id: string): Promise<Submission> {
  if (!submissionIdPattern.test(id)) throw unknown(id);
  const text = await boundedText(client, submissionKey(id), most.document);
  if (text === undefined) throw unknown(id);
  return read(untrustedJson(text), `submission ${id}`);
}

function unknown(id: string): AttnswapError {
  return new AttnswapError('UNKNOWN_SUBMISSION', `there is no submission ${JSON.stringify(id.slice(0, 40))}`, {
    hint: `attnswap fleet status lists them; they are kept for ${keptSeconds / 86_400} days`,
  });
}

/** The fifty newest submissions, newest first. */
export async function submissionIds(client: Redis): Promise<readonly string[]> {
  await client.zremrangebyscore(submissionsKey, 0, Date.now() - 1000 * keptSeconds);
  return (await client.zrevrange(submissionsKey, 0, 49)).filter((id) => submissionIdPattern.test(id));
}

/** The runs that ended, each by the host that ended it; and whether the submission was cancelled. */
export async function endedRuns(client: Redis, id: string): Promise<{ readonly ended: ReadonlySet<number>; readonly cancelled: boolean }> {
  const fields = await boundedHash(client, endedKey(id), most.document);
  return {
    ended: new Set([...fields.keys()].filter((field) => /^\d{1,5}$/.test(field)).map(Number)),
    cancelled: fields.has(cancelledField),
  };
}

/**
 * Takes the runs of a submission that wait out of the queue; those that are measured end with the cell that they are at.
 * @returns how many were taken out
 */
export async function cancelRuns(client: Redis, address: QueueAddress, id: string): Promise<number> {
  const { runs } = await readSubmission(client, id);
  await client.multi().hset(endedKey(id), cancelledField, 1).expire(endedKey(id), keptSeconds).exec();
  const { Queue } = await loadBullmq();
  const connection = await connect(address); // BullMQ changes the client that it is given.
  try {
    let removed = 0;
    for (const [host, ofHost] of Map.groupBy(runs.entries(), ([, run]) => run.host)) {
      const queue = new Queue(host, { connection, prefix, skipVersionCheck: true });
      queue.on('error', () => undefined); // What a call throws is told.
      for (const [run] of ofHost) {
        if ((await client.exists(jobKey(host, id, run))) === 0) continue; // Of one that has ended BullMQ says that it removed it.
        removed += await queue.remove(jobId(id, run)).catch(() => 0); // One that is measured is locked.
      }
      await queue.close();
    }
    return removed;
  } finally {
    connection.disconnect();
  }
}
