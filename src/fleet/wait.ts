import type { Redis } from 'ioredis';
import { setTimeout } from 'node:timers/promises';
import type { Submission, WaitedRun } from './documents.ts';
import { listHosts } from './hosts.ts';
import type { ListedHost } from './hosts.ts';
import type { Keyring } from './keys.ts';
import { labelsText } from './labels.ts';
import { collectRun, readParts } from './parts.ts';
import { persistently } from './publish.ts';
import { endedRuns, jobKey } from './submissions.ts';

interface WaitOptions {
  readonly id: string;
  readonly submission: Submission;
  readonly trusted: Keyring;
  readonly giveUpMs: number;
  readonly tell: ((trouble: string) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

const pollMs = 500;
/** Who is there is asked more seldom. */
const lookMs = 2500;

/** The runs of a submission, each as soon as it has ended, until there are none left. @throws INVALID_FLEET, the signal's reason */
export async function* waitForRuns(client: Redis, options: WaitOptions): AsyncGenerator<WaitedRun> {
  const { id, submission } = options;
  const signal = options.signal ?? new AbortController().signal;
  const patience = { signal, tell: (trouble: string) => options.tell?.(trouble) };
  const left = new Set(submission.runs.keys());
  const watch = new Watch(client, options);
  await persistently(() => watch.givenUp([]), patience);
  let lookedAt = -Infinity;
  while (left.size > 0) {
    signal.throwIfAborted();
    const { ended } = await persistently(() => endedRuns(client, id), patience);
    let over: ReadonlyMap<number, string | undefined> = new Map([...left].filter((run) => ended.has(run)).map((run) => [run, undefined]));
    if (over.size === 0 && performance.now() - lookedAt > lookMs) {
      over = await persistently(() => watch.givenUp([...left]), patience);
      lookedAt = performance.now();
    }
    for (const [run, why] of over) {
      signal.throwIfAborted();
      left.delete(run);
      yield await persistently(() => collected(client, options, run, watch.hosts, why), patience);
    }
    if (over.size === 0) await setTimeout(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

async function collected(
  client: Redis,
  { id, submission, trusted }: WaitOptions,
  run: number,
  hosts: ReadonlyMap<string, ListedHost>,
  why: string | undefined,
): Promise<WaitedRun> {
  const { host, repeat } = submission.runs[run]!;
  const nameOf = (hostId: string) => hosts.get(hostId)?.name ?? hostId.slice(0, 12);
  const parts = await readParts(client, { submission: id, run }, trusted);
  const { records, missing, reasons } = collectRun(parts, submission.suite.sha256);
  return {
    number: run,
    host: nameOf(host),
    repeat,
    records: records.map(({ host: hostId, record }) => ({ host: nameOf(hostId), hostId, record })),
    missing: records.length === 0 && missing.length === 0 ? 'all' : missing,
    reasons: [...reasons, ...(why === undefined ? [] : [why])],
  };
}

/** Who could still measure a run. */
class Watch {
  readonly #client: Redis;
  readonly #options: WaitOptions;
  /** Since when nobody was there for a run, in the time of this process. */
  readonly #aloneSince = new Map<number, number>();
  /** Runs that were not in the queue at the last look. */
  #unqueued = new Set<number>();
  hosts: ReadonlyMap<string, ListedHost> = new Map();

  constructor(client: Redis, options: WaitOptions) {
    [this.#client, this.#options] = [client, options];
  }

  /** The runs that nobody will measure any more, each with the reason. */
  async givenUp(left: readonly number[]): Promise<ReadonlyMap<number, string>> {
    const { id, submission, giveUpMs } = this.#options;
    this.hosts = new Map((await listHosts(this.#client)).map((host) => [host.id, host]));
    const texts = new Map([...this.hosts.values()].map(({ id: host, labels }) => [host, labelsText(labels)]));
    const served = new Set([...this.hosts.values()].flatMap(({ id: host, doing }) => (doing === undefined ? [] : texts.get(host))));
    const pipeline = this.#client.pipeline();
    for (const run of left) pipeline.exists(jobKey(submission.runs[run]!.host, id, run));
    const queued = (await pipeline.exec()) ?? [];
    const unqueued = new Set<number>();
    const over = new Map<number, string>();
    for (const [index, run] of left.entries()) {
      const { host } = submission.runs[run]!;
      const isAlone = !served.has(texts.get(host));
      const since = isAlone ? (this.#aloneSince.get(run) ?? performance.now()) : undefined;
      if (since === undefined) this.#aloneSince.delete(run);
      else this.#aloneSince.set(run, since);
      if (queued[index]?.[1] === 0) unqueued.add(run);
      // Twice: between the two looks a run may have ended, or been queued.
      if (this.#unqueued.has(run) && unqueued.has(run)) over.set(run, 'the run is no longer in the queue');
      else if (since !== undefined && performance.now() - since >= giveUpMs)
        over.set(run, `no host with its labels responded for ${Math.round(giveUpMs / 1000)} s`);
    }
    this.#unqueued = unqueued;
    return over;
  }
}
