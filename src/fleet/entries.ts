import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { AttnswapError } from '../contract/errors.ts';
import { tamed } from '../text/untrusted.ts';
import type { RunPlace } from './documents.ts';
import { isSignedBy } from './keys.ts';
import type { HostKey, Keyring } from './keys.ts';

/** What all keys in Redis begin with, those of BullMQ too. */
export const prefix = 'attnswap';
export const fleetKey = (...parts: ReadonlyArray<string | number>): string => [prefix, 'fleet', ...parts].join(':');

/** How long what was submitted and measured stays in Redis, seconds. */
export const keptSeconds = 7 * 86_400;
/** What is read at once, in bytes, or members of a set: more is refused before it is asked for. */
export const most = { document: 2 ** 20, hosts: 16 * 2 ** 20, run: 256 * 2 ** 20, members: 10_000 } as const;

/** The text of a key; undefined where there is none. @throws INVALID_FLEET where it is too long */
export async function boundedText(client: Redis, key: string, bytes: number): Promise<string | undefined> {
  refuseAbove(bytes, await client.strlen(key), key);
  return (await client.get(key)) ?? undefined;
}

/** The fields of a hash. @throws INVALID_FLEET where they take too much memory */
export async function boundedHash(client: Redis, key: string, bytes: number): Promise<ReadonlyMap<string, string>> {
  refuseAbove(bytes, await client.memory('USAGE', key, 'SAMPLES', 0), key);
  return new Map(Object.entries(await client.hgetall(key)));
}

function refuseAbove(bytes: number, found: number | null, key: string): void {
  if ((found ?? 0) <= bytes) return;
  throw new AttnswapError('INVALID_FLEET', `${key} in Redis: ${found} bytes, expected at most ${bytes}`);
}

/** JSON of others; undefined where it is none. */
export function untrustedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Where the hosts write what became of a run. */
export const runKey = ({ submission, run }: RunPlace): string => fleetKey('run', submission, run);

/** A field of a run, of one host: `head`, `end`, or `cell:` and the hash of its id. */
export const fieldOf = (host: string, what: 'head' | 'end' | `cell:${string}`): string => `${host}:${what}`;
export const cellField = (host: string, id: string): string =>
  fieldOf(host, `cell:${createHash('sha256').update(id).digest('hex').slice(0, 16)}`);

/** A value with its signature, which holds for this field of this run alone. */
export function sealed(key: HostKey, place: RunPlace, field: string, value: unknown): string {
  const json = JSON.stringify(value);
  return `${key.sign(signedText(place, field, json))}.${json}`;
}

/** What {@link sealed} wrote; undefined where a host in the ring did not sign it. */
export function opened(ring: Keyring, place: RunPlace, field: string, text: string): unknown {
  const [host = ''] = field.split(':', 1);
  const key = ring.get(host);
  const dot = text.indexOf('.');
  const json = text.slice(dot + 1);
  if (key === undefined || dot !== 86 || !isSignedBy(key, signedText(place, field, json), text.slice(0, dot))) return undefined;
  return tamed(untrustedJson(json));
}

function signedText({ submission, run }: RunPlace, field: string, json: string): string {
  return ['attnswap.fleet/1', submission, run, field, json].join('\n');
}
