import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { AttnswapError } from '../contract/errors.ts';
import { formatIdentity, ownIdentity, parseIdentity, stateOf } from './identity.ts';

export interface WaitOptions {
  /** Waits for another attnswap to end, instead of throwing. */
  readonly wait?: boolean | undefined;
  /** Ends the wait with INTERRUPTED. */
  readonly signal?: AbortSignal | undefined;
  /** Told once whom it waits for. */
  say?(words: string): void;
}

const pollMs = 500;

const releasing: Array<() => void> = [];

/** Calls `act` each time this process lets go of the machine: for what an operation keeps running. */
export function whenReleased(act: () => void): void {
  releasing.push(act);
}

/**
 * Makes this process the only attnswap of its user on this machine that measures, until it calls what it gets, or ends: two measurements at
 * once would time each other.
 * @throws BUSY where another one measures, and it is not to wait; INTERRUPTED
 */
export async function takeMachine({ wait = false, signal, say }: WaitOptions = {}): Promise<() => void> {
  // Asked each time: tests set another folder.
  const lock = join(tmpdir(), `attnswap-${process.getuid?.() ?? 'user'}.lock`);
  const own = formatIdentity(ownIdentity());
  const release = () => {
    if (contentOf(lock) === own) rmSync(lock, { force: true });
  };
  for (let told = false; !take(lock, own);) {
    const owner = contentOf(lock);
    const identity = parseIdentity(owner);
    if (identity === undefined || stateOf(identity) !== 'alive') {
      remove(lock, owner);
      continue;
    }
    const busy = `another attnswap (process ${identity.pid}) is measuring on this machine`;
    if (!wait) {
      const hint = `--wait waits for it to finish; its lock is ${lock}`;
      throw new AttnswapError('BUSY', `${busy}; running both would distort both measurements`, { hint });
    }
    if (signal?.aborted === true) throw new AttnswapError('INTERRUPTED', 'interrupted');
    if (!told) say?.(`waiting: ${busy}`);
    told = true;
    await setTimeout(pollMs);
  }
  process.once('exit', release);
  return () => {
    process.off('exit', release);
    release();
    for (const act of releasing) act();
  };
}

/** Whether the lock is ours now. It appears with its content, as a reader must not take it for an empty one. */
function take(lock: string, own: string): boolean {
  const written = `${lock}.${own}`;
  try {
    writeFileSync(written, own);
    linkSync(written, lock);
    return true;
  } catch (error) {
    // A folder that cannot be written to, or has no links, is no reason not to measure.
    return (error as NodeJS.ErrnoException).code !== 'EEXIST';
  } finally {
    rmSync(written, { force: true });
  }
}

/** Takes away a lock whose owner is gone. Another process may have done so and taken it since: then it gets it back. */
function remove(lock: string, owner: string): void {
  const aside = `${lock}.${formatIdentity(ownIdentity())}.stale`;
  try {
    renameSync(lock, aside);
    if (contentOf(aside) !== owner) linkSync(aside, lock);
  } catch {
    // Gone already, or taken by a third.
  } finally {
    rmSync(aside, { force: true });
  }
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
