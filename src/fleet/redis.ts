import type * as Bullmq from 'bullmq';
import type { Redis } from 'ioredis';
import { AttnswapError } from '../contract/errors.ts';
import { oneLine } from '../text/untrusted.ts';
import { answerMs, connectionOptions, retryMs, shown } from './address.ts';
import type { QueueAddress } from './address.ts';

/**
 * Connects, and asks for an answer before anything relies on it.
 * @throws USAGE; UNSUPPORTED where the packages are not installed; FLEET_UNREACHABLE where it is not there, refuses the password, or does not answer
 */
export async function connect(address: QueueAddress, timeoutMs = answerMs): Promise<Redis> {
  const options = connectionOptions(address);
  const { Redis: Client } = await loadPackage(() => import('ioredis'));
  const where = shown(new URL(address.redis));
  let connected = false;
  // Until it has answered once, a failure is an error, not a reason to wait.
  const client = new Client({
    ...options,
    lazyConnect: true,
    commandTimeout: 3 * answerMs,
    retryStrategy: (attempt: number) => (connected ? retryMs(attempt) : null),
  });
  let last: Error | undefined;
  client.on('error', (error: Error) => (last = error));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs / 1000} s`)), timeoutMs);
  });
  try {
    await Promise.race([client.connect().then(() => client.ping()), late]);
    connected = true;
    return client;
  } catch (error) {
    client.disconnect();
    throw unreachable(where, last ?? (error as Error));
  } finally {
    clearTimeout(timer);
  }
}

export async function loadBullmq(): Promise<typeof Bullmq> {
  return loadPackage(() => import('bullmq'));
}

async function loadPackage<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    throw new AttnswapError('UNSUPPORTED', `a fleet needs BullMQ, which is not installed: ${(error as Error).message.split('\n')[0]}`, {
      hint: 'npm install bullmq ioredis',
      cause: error,
    });
  }
}

function unreachable(where: string, error: Error): AttnswapError {
  const hint = /WRONGPASS|NOAUTH|invalid password/i.test(error.message)
    ? 'check user and password in the URL'
    : 'check the address, and that the server runs: redis-cli -u <url> ping';
  return new AttnswapError(
    'FLEET_UNREACHABLE',
    `${where}: ${oneLine(error.message || (error as NodeJS.ErrnoException).code || error.name)}`,
    {
      hint,
      cause: error,
    },
  );
}

/** Makes of what Redis answers to a command the error that a user sees. */
export function refusedByRedis(error: unknown, nothing: string): AttnswapError {
  if (error instanceof AttnswapError) return error;
  const { message } = error as Error;
  const full = /\bOOM\b|EXECABORT/.test(message);
  return new AttnswapError('FLEET_UNREACHABLE', `${full ? 'Redis is full' : 'Redis'}: ${oneLine(message)}; ${nothing}`, {
    hint: full ? 'raise maxmemory, or remove old submissions: attnswap fleet cancel' : 'check the server with redis-cli',
    cause: error,
  });
}
