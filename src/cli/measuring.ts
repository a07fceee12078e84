import { constants } from 'node:os';
import { AttnswapError } from '../contract/errors.ts';
import { takeMachine } from '../processes/alone.ts';
import { remark } from './console.ts';
import type { CommonFlags } from './console.ts';

/** Flags of every command that measures. */
export interface MeasuringFlags extends CommonFlags {
  readonly wait?: boolean;
}

const interruptions = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How long interrupted work may take to end by itself. What it has reached is in files by then. */
const graceMs = 1500;

let interruption: NodeJS.Signals | undefined;

/** The exit code of a command that a signal interrupted, as shells count: 130 for Ctrl-C; undefined where none did. */
export function interruptionCode(): number | undefined {
  return interruption && 128 + constants.signals[interruption];
}

/**
 * Runs `work` alone on this machine, with a signal that Ctrl-C, SIGTERM and SIGHUP abort. It then has {@link graceMs}
 * to end by itself; a second one ends the process at once. Either way the exit code is the interruption's.
 * @throws BUSY where another attnswap is measuring; whatever `work` throws
 */
export async function measuring<Result>(flags: MeasuringFlags, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const release = await takeMachine({ wait: flags.wait, say: (words) => remark(words, flags) });
  const abort = new AbortController();
  let grace: NodeJS.Timeout | undefined;
  const interrupt = (signal: NodeJS.Signals) => {
    if (interruption !== undefined) process.exit();
    interruption = signal;
    process.on('exit', () => (process.exitCode = interruptionCode()));
    remark('interrupted: ending; once more ends at once', flags);
    grace = setTimeout(() => process.exit(), graceMs);
    abort.abort(new AttnswapError('INTERRUPTED', 'interrupted'));
  };
  // Not once(): signal-exit, which execa installs, ends the process when it finds no listener but its own.
  for (const signal of interruptions) process.on(signal, interrupt);
  try {
    return await work(abort.signal);
  } finally {
    clearTimeout(grace);
    for (const signal of interruptions) process.off(signal, interrupt);
    release();
  }
}
