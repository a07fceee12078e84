import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { compiledKernels, compiledSources } from '../processes/compiled.ts';
import '../processes/quiet-environment.ts';
import { forksEnvironment } from '../protocol/fork-servers.ts';
import { temporaryFolder } from '../processes/temporary.ts';
import { oneLine } from '../text/untrusted.ts';

/** Whether a worker leads a group of its own, so that a signal reaches what it starts too. */
export const hasGroups = process.platform !== 'win32';

/** Signals a worker and all that it started; nothing where they are gone. */
export function signalGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader === undefined) return;
  try {
    process.kill(hasGroups ? -leader : leader, signal);
  } catch {
    // Gone already: how it ended is told elsewhere.
  }
}

/** How a worker ended, in words. */
export function endOf(exitCode: number | undefined, signal: string | undefined, stderr: string): string {
  const memory = signal === 'SIGKILL' ? ' (out of memory, or killed manually)' : '';
  const how = signal === undefined ? `exited with code ${exitCode ?? 'unknown'}` : `was ended by ${signal}${memory}`;
  const last = oneLine(stderr.trim().split('\n').slice(-3).join(' ').slice(0, 500));
  return last === '' ? `the worker ${how}` : `the worker ${how}: ${last}`;
}

let compiled: Promise<string> | undefined;

/** A folder for a worker's temporary files, which go when it ends, however it ends. */
export async function scratchFolder() {
  const folder = await temporaryFolder('scratch');
  const ofThisProcess = () => (compiled ??= temporaryFolder('compiled'));
  return {
    env: {
      TMPDIR: folder,
      TEMP: folder,
      TMP: folder,
      ...(await forksEnvironment()),
      NODE_COMPILE_CACHE: compiledSources() ?? (await ofThisProcess()),
      // PyTorch would keep it in the temporary folder, and each process would compile its kernels again.
      TORCHINDUCTOR_CACHE_DIR: process.env['TORCHINDUCTOR_CACHE_DIR'] ?? compiledKernels() ?? join(await ofThisProcess(), 'torch'),
    },
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}
