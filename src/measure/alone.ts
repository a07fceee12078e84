import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';

/** One file a user and machine: two measurements at once would time each other. */
const lock = join(tmpdir(), `attnswap-${process.getuid?.() ?? 'user'}.lock`);

/**
 * Runs `work` alone on this machine.
 * @throws BUSY where another attnswap is measuring; INTERRUPTED where the signal has been aborted; whatever `work` throws
 */
export async function alone<Result>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const until = signal ?? new AbortController().signal;
  if (until.aborted) throw new AttnswapError('INTERRUPTED', 'interrupted');
  takeLock();
  try {
    return await work(until);
  } finally {
    rmSync(lock, { force: true });
  }
}

function takeLock(): void {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      // A folder that cannot be written to is no reason not to measure.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return;
    }
    const owner = Number(readOwner());
    if (isAlive(owner)) {
      throw new AttnswapError('BUSY', `another attnswap (process ${owner}) is measuring on this machine: both would time each other`, {
        hint: 'wait until it is done, or end it',
      });
    }
    rmSync(lock, { force: true });
  }
}

function readOwner(): string {
  try {
    return readFileSync(lock, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
