import { AttnswapError } from '../contract/errors.ts';

/** Where the queue is, and how carefully it must be reached. */
export interface QueueAddress {
  /** `rediss://user:password@host:port`. */
  readonly redis: string;
  /** Accepts a connection without TLS or without a password. @default false */
  readonly insecure?: boolean | undefined;
}

export const answerMs = 10_000;
/** Between attempts to connect: at once after a hiccup, then ever more seldom. */
export const retryMs = (attempt: number): number => Math.min(100 * 2 ** attempt, 20_000);

/** Settings of a connection, as ioredis and BullMQ take them. @throws USAGE where it is no URL of Redis, or an insecure one that was not asked for */
export function connectionOptions({ redis, insecure = false }: QueueAddress) {
  const url = URL.canParse(redis) ? new URL(redis) : undefined;
  if (url === undefined || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '')
    throw new AttnswapError(
      'USAGE',
      'the address of the fleet is not the URL of a Redis server, expected one such as rediss://user:password@host:6379',
      {
        hint: 'set it with --redis or the environment variable ATTNSWAP_REDIS',
      },
    );
  const lacks = [...(url.protocol === 'rediss:' ? [] : ['TLS']), ...(url.password === '' ? ['a password'] : [])];
  if (lacks.length > 0 && !insecure) {
    throw new AttnswapError(
      'USAGE',
      `${shown(url)} is reached without ${lacks.join(' and without ')}: others on the network could read and change jobs and results`,
      { hint: 'use rediss://user:password@host:port; --insecure accepts this connection, on a network that you trust' },
    );
  }
  const database = Number(url.pathname.slice(1));
  return {
    host: url.hostname.replaceAll(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    ...(database > 0 && { db: database }),
    ...(url.protocol === 'rediss:' && { tls: {} }),
    connectTimeout: answerMs,
    maxRetriesPerRequest: null,
    retryStrategy: retryMs,
  };
}

/** An address without user and password. */
export function shown({ protocol, host }: URL): string {
  return `${protocol}//${host}`;
}
