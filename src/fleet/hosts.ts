import type { Redis } from 'ioredis';
import { oneLine, tamed } from '../text/untrusted.ts';
import { hostSchema } from './documents.ts';
import type { MemberHost } from './documents.ts';
import { boundedHash, fleetKey, keptSeconds, most, untrustedJson } from './entries.ts';
import { hostIdOf, hostIdPattern } from './keys.ts';
import { queuedAt } from './submissions.ts';

/** A host that joined in the last days. */
export interface ListedHost extends MemberHost {
  readonly id: string;
  /** What it does now; undefined where it is lost: not heard of for longer than it said. */
  readonly doing: string | undefined;
}

const hostsKey = fleetKey('hosts');
/** When each host was last heard of, milliseconds of the server's own clock. */
const heardKey = fleetKey('heard');
const doingKey = fleetKey('doing');
/** More than any host may be silent for. */
const longestSilenceMs = 3_600_001;
/** Lost hosts that are looked at. */
const mostLost = 1000;

async function serverMs(client: Redis): Promise<number> {
  const [seconds, microseconds] = await client.time();
  return 1000 * Number(seconds) + Math.floor(Number(microseconds) / 1000);
}

/** Makes a host known, and forgets those that have been lost for days. */
export async function register(client: Redis, id: string, host: MemberHost): Promise<void> {
  const gone = await client.zrangebyscore(heardKey, 0, (await serverMs(client)) - 1000 * keptSeconds, 'LIMIT', 0, mostLost);
  if (gone.length > 0)
    await client
      .multi()
      .zrem(heardKey, gone)
      .hdel(hostsKey, ...gone)
      .hdel(doingKey, ...gone)
      .exec();
  await client.hset(hostsKey, id, JSON.stringify(host));
}

/** A sign of life. */
export async function beat(client: Redis, id: string, doing: string): Promise<void> {
  await client
    .multi()
    .zadd(heardKey, await serverMs(client), id)
    .hset(doingKey, id, doing.slice(0, 200))
    .exec();
}

/** Counts as lost from now on, so that others may take its runs. */
export async function leave(client: Redis, id: string): Promise<void> {
  await client.zadd(heardKey, (await serverMs(client)) - longestSilenceMs, id);
}

/** Every known host, by name; what is no host is left out. @throws INVALID_FLEET */
export async function listHosts(client: Redis): Promise<readonly ListedHost[]> {
  const now = await serverMs(client);
  const heard = await boundedScores(client);
  const doing = await boundedHash(client, doingKey, most.hosts);
  const hosts = [...(await boundedHash(client, hostsKey, most.hosts))].flatMap(([id, text]) => {
    const { data } = hostSchema.safeParse(tamed(untrustedJson(text)));
    if (data === undefined || hostIdOf(data.publicKey) !== id) return [];
    const isThere = now - (heard.get(id) ?? -Infinity) < data.lostAfterMs;
    return [{ ...data, id, doing: isThere ? oneLine((doing.get(id) ?? '').slice(0, 200)) : undefined }];
  });
  return hosts.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function boundedScores(client: Redis): Promise<ReadonlyMap<string, number>> {
  const flat = await client.zrevrange(heardKey, 0, most.members - 1, 'WITHSCORES');
  return new Map(flat.flatMap((id, index) => (index % 2 === 0 ? [[id, Number(flat[index + 1])] as const] : [])));
}

/** Hosts that have not been heard of for `ms`, and have runs in their queues. */
export async function lostWithRuns(client: Redis, ms: number): Promise<readonly string[]> {
  const silent = await client.zrangebyscore(heardKey, '-inf', (await serverMs(client)) - ms, 'LIMIT', 0, mostLost);
  const hosts = silent.filter((id) => hostIdPattern.test(id));
  const counts = await Promise.all(hosts.map((id) => queuedAt(client, id)));
  return hosts.filter((_, index) => counts[index]! > 0);
}
