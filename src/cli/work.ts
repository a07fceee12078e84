import { AttnswapError } from '../contract/errors.ts';
import type { OperationOptions } from '../operations/options.ts';
import { printable } from '../text/untrusted.ts';
import { remark } from './console.ts';
import type { CommonFlags } from './console.ts';
import { progressLine } from './progress.ts';

/** What an operation is given beside its own options. */
export type Hooks = Required<Pick<OperationOptions, 'onProgress' | 'onWarning' | 'signal' | 'command'>>;

/** Runs an operation under the eyes of the user: progress and warnings on standard error; Ctrl-C and SIGTERM end it in good order. */
export async function working<Result>(flags: CommonFlags, operation: (hooks: Hooks) => Promise<Result>): Promise<Result> {
  const line = progressLine(flags);
  const { requireTemporaryFolder } = await import('../measure/writable.ts');
  await requireTemporaryFolder();
  const abort = new AbortController();
  const interrupt = () => abort.abort(new AttnswapError('INTERRUPTED', 'interrupted'));
  // Not once(): signal-exit, which execa installs, ends the process when it finds no listener but its own.
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    return await operation({
      onProgress: (progress) => line.update(progress),
      onWarning: (warning) => remark(printable(warning), flags),
      signal: abort.signal,
      command: process.argv.slice(2),
    });
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    line.stop();
  }
}
