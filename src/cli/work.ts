import { constants } from 'node:os';
import { AttnswapError } from '../contract/errors.ts';
import type { OperationOptions } from '../operations/options.ts';
import { remark } from './console.ts';
import type { CommonFlags } from './console.ts';
import { progressLine } from './progress.ts';

/** What an operation tells while it runs. */
type Told = Required<Pick<OperationOptions, 'onProgress' | 'onWarning'>>;

/** What an operation is given beside its own options. */
type Hooks = Told & Required<Pick<OperationOptions, 'signal' | 'command'>>;

const interruptions = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How long interrupted work may take to end by itself. What it has reached is in files by then. */
const graceMs = 1500;

let interruption: NodeJS.Signals | undefined;

/** The exit code of a command that a signal interrupted, as shells count: 130 for Ctrl-C; undefined where none did. */
export function interruptionCode(): number | undefined {
  return interruption && 128 + constants.signals[interruption];
}

/** Runs an operation with progress and warnings on standard error. */
export async function watching<Result>(flags: CommonFlags, operation: (told: Told) => Promise<Result>): Promise<Result> {
  const line = progressLine(flags);
  const told: Told = { onProgress: (progress) => line.update(progress), onWarning: (warning) => remark(warning, flags) };
  try {
    return await operation(told);
  } finally {
    line.stop();
  }
}

/**
 * The same for one that keeps what it has: Ctrl-C, SIGTERM and SIGHUP abort it, and it has {@link graceMs} to end by itself; a second one
 * ends the process at once. Either way the exit code is the interruption's.
 */
export async function working<Result>(flags: CommonFlags, operation: (hooks: Hooks) => Promise<Result>): Promise<Result> {
  const { requireTemporaryFolder } = await import('../processes/temporary.ts');
  await requireTemporaryFolder();
  const abort = new AbortController();
  let grace: NodeJS.Timeout | undefined;
  const interrupt = (signal: NodeJS.Signals) => {
    if (interruption !== undefined) process.exit();
    interruption = signal;
    process.on('exit', () => (process.exitCode = interruptionCode()));
    remark('interrupted: finishing up; interrupt again to stop immediately', flags);
    grace = setTimeout(() => process.exit(), graceMs);
    abort.abort(new AttnswapError('INTERRUPTED', 'interrupted'));
  };
  // Not once(): signal-exit, which execa installs, ends the process when it finds no listener but its own.
  for (const signal of interruptions) process.on(signal, interrupt);
  try {
    return await watching(flags, (told) => operation({ ...told, signal: abort.signal, command: process.argv.slice(2) }));
  } finally {
    clearTimeout(grace);
    for (const signal of interruptions) process.off(signal, interrupt);
  }
}
