import type { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { oneLine } from '../text/untrusted.ts';
import { connectionOptions } from './address.ts';
import type { QueueAddress } from './address.ts';
import type { Taken } from './documents.ts';
import { beat, leave, listHosts, lostWithRuns, register } from './hosts.ts';
import type { HostKey } from './keys.ts';
import { sameLabels } from './labels.ts';
import type { Labels } from './labels.ts';
import { connect, loadBullmq } from './redis.ts';
import { queueOptions } from './submissions.ts';
import { takeRun } from './take-run.ts';
import type { Measure } from './take-run.ts';

export interface JoinOptions extends QueueAddress {
  readonly key: HostKey;
  readonly name: string;
  readonly labels: Labels;
  readonly version: string;
  /** Without a sign of life for so long a host counts as lost, and its run goes back to the queue. */
  readonly lostAfterMs: number;
  readonly measure: Measure;
  readonly signal: AbortSignal;
  /** Told of what is refused, and of trouble with the server, each once. */
  readonly tell: (what: string) => void;
  /** Called once the host has joined. */
  readonly onJoined: () => void;
  /** Called whenever it has nothing to do. */
  readonly onIdle: () => void;
}

/**
 * Makes this host a worker of the fleet until the signal is aborted. It takes the runs of its own queue one at a time, and those of lost hosts
 * with the same labels.
 * @throws USAGE, UNSUPPORTED, FLEET_UNREACHABLE before it has joined; after that, trouble with the server is told and waited out
 */
export async function joinQueue(options: JoinOptions): Promise<Taken> {
  const { key, name, labels, version, lostAfterMs, signal } = options;
  const client = await connect(options);
  const trouble = onceEach(options.tell);
  try {
    const { Worker } = await loadBullmq();
    const taken = { done: 0, refused: 0, cancelled: 0, dropped: 0 };
    const measure: Measure = (assignment, hooks) => {
      queues.doing = `${assignment.loaded.suite.name} of ${assignment.place.submission}`;
      return options.measure(assignment, hooks);
    };
    const take = async (data: unknown, ofRun: AbortSignal) => {
      try {
        taken[await takeRun({ client, key, measure, tell: options.tell, trouble }, data, ofRun)] += 1;
      } finally {
        queues.doing = idle;
        options.onIdle();
      }
    };
    const queues = new Queues(Worker, options, trouble, take);
    await register(client, key.id, { name, publicKey: key.publicKey, labels, version, lostAfterMs });
    await beat(client, key.id, idle);
    options.onJoined();
    options.onIdle();
    queues.open(key.id);
    while (!signal.aborted) {
      await signOfLife(client, options, queues).catch((error: unknown) => trouble(`Redis: ${oneLine((error as Error).message)}`));
      await sleep(lostAfterMs / 3, undefined, { signal }).catch(() => undefined);
    }
    await queues.close();
    await leave(client, key.id).catch(() => undefined);
    return taken;
  } finally {
    client.disconnect();
  }
}

async function signOfLife(client: Redis, { key, labels, lostAfterMs }: JoinOptions, queues: Queues): Promise<void> {
  await beat(client, key.id, queues.doing);
  const lost = (await lostWithRuns(client, lostAfterMs)).filter((id) => id !== key.id);
  queues.keep([key.id, ...lost]);
  if (lost.length === 0 || queues.doing !== idle) return;
  for (const { id, doing, labels: theirs } of await listHosts(client))
    if (doing === undefined && lost.includes(id) && sameLabels(theirs, labels)) queues.open(id);
}

const idle = 'idle';
const [shortestRestMs, longestRestMs] = [1000, 20_000];

/** The queues that runs are taken from: the host's own, and those of hosts that are lost. */
class Queues {
  /** What is done now, in words. */
  doing = idle;
  readonly #Worker: typeof Worker;
  readonly #options: JoinOptions;
  readonly #trouble: (what: string) => void;
  readonly #take: (data: unknown, signal: AbortSignal) => Promise<void>;
  readonly #workers = new Map<string, Worker>();
  readonly #closing = new Set<Promise<void>>();
  /** Ends when the run before has: one at a time, whatever the queue. */
  #turn: Promise<void> = Promise.resolve();

  constructor(
    worker: typeof Worker,
    options: JoinOptions,
    trouble: (what: string) => void,
    take: (data: unknown, signal: AbortSignal) => Promise<void>,
  ) {
    [this.#Worker, this.#options, this.#trouble, this.#take] = [worker, options, trouble, take];
  }

  open(host: string): void {
    if (this.#workers.has(host) || this.#options.signal.aborted) return;
    const worker = new this.#Worker(host, (job, _, ofJob) => this.#run(job.data, ofJob), {
      ...queueOptions,
      connection: connectionOptions(this.#options),
      lockDuration: this.#options.lostAfterMs,
      stalledInterval: this.#options.lostAfterMs / 2,
      runRetryDelay: Math.min(5000, this.#options.lostAfterMs),
      skipVersionCheck: true,
    });
    // BullMQ asks again at once where the server refuses a command, such as when it is full: it rests, ever longer until something succeeds.
    let restMs = shortestRestMs;
    for (const event of ['active', 'drained'] as const) worker.on(event, () => void (restMs = shortestRestMs));
    worker.on('error', (error) => {
      if (this.#options.signal.aborted) return;
      this.#trouble(`Redis: ${oneLine(error.message || error.name)}`);
      if (worker.isPaused()) return;
      void worker.pause(true);
      setTimeout(() => void worker.resume(), restMs).unref();
      restMs = Math.min(2 * restMs, longestRestMs);
    });
    worker.on('lockRenewalFailed', (ids: string[]) => {
      for (const id of ids) worker.cancelJob(id, 'the run may have gone to another host');
    });
    this.#workers.set(host, worker);
  }

  /** Takes no more from other queues than these; a run that was taken from them is finished. */
  keep(hosts: readonly string[]): void {
    for (const [host, worker] of this.#workers) {
      if (hosts.includes(host)) continue;
      this.#workers.delete(host);
      const closing = worker
        .close()
        .catch(() => undefined)
        .then(() => void this.#closing.delete(closing));
      this.#closing.add(closing);
    }
  }

  async close(): Promise<void> {
    this.keep([]);
    await Promise.all(this.#closing);
  }

  async #run(data: unknown, ofJob: AbortSignal | undefined): Promise<void> {
    const { signal } = this.#options;
    const run = this.#turn.then(() => this.#take(data, ofJob === undefined ? signal : AbortSignal.any([signal, ofJob])));
    this.#turn = run.catch(() => undefined);
    await run;
  }
}

/** Says the same thing once, until something else was said. */
function onceEach(tell: (what: string) => void): (what: string) => void {
  let last = '';
  return (what) => {
    if (what !== last) tell(what);
    last = what;
  };
}
