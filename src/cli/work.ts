import { AttnswapError } from '../contract/errors.ts';
import type { OperationOptions } from '../operations/options.ts';
import { printable } from '../text/untrusted.ts';
import { exitCodes, remark } from './console.ts';
import type { CommonFlags } from './console.ts';
import { progressLine } from './progress.ts';

/** What an operation tells while it runs. */
type Told = Required<Pick<OperationOptions, 'onProgress' | 'onWarning'>>;

/** What an operation is given beside its own options. */
type Hooks = Told & Required<Pick<OperationOptions, 'signal' | 'command'>>;

/** Runs an operation with progress and warnings on standard error. */
export async function watching<Result>(flags: CommonFlags, operation: (told: Told) => Promise<Result>): Promise<Result> {
  const line = progressLine(flags);
  const told: Told = { onProgress: (progress) => line.update(progress), onWarning: (warning) => remark(printable(warning), flags) };
  try {
    return await operation(told);
  } finally {
    line.stop();
  }
}

/** The same for one that ends in good order by Ctrl-C and SIGTERM, and keeps what it has; a second Ctrl-C ends it at once. */
export async function working<Result>(flags: CommonFlags, operation: (hooks: Hooks) => Promise<Result>): Promise<Result> {
  const { requireTemporaryFolder } = await import('../measure/writable.ts');
  await requireTemporaryFolder();
  const abort = new AbortController();
  const interrupt = () => {
    if (abort.signal.aborted) process.exit(exitCodes.error);
    abort.abort(new AttnswapError('INTERRUPTED', 'interrupted'));
  };
  // Not once(): signal-exit, which execa installs, ends the process when it finds no listener but its own.
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    return await watching(flags, (told) => operation({ ...told, signal: abort.signal, command: process.argv.slice(2) }));
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}
