import { execa } from 'execa';
import { fileURLToPath } from 'node:url';
import { tamed } from '../text/untrusted.ts';
import { handOn } from './kept-inputs.ts';
import type { StageAnswer, StageRequest } from './messages.ts';
import { memoryEnvironment } from './peak-memory.ts';
import { endOf, hasGroups, scratchFolder, signalGroup } from './process-group.ts';

const worker = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url));

export type LaunchOutcome = StageAnswer | { readonly outcome: 'timed-out'; readonly reason: string };

export interface LaunchOptions {
  readonly timeoutSeconds: number;
  /** The script that runs the stage; this version's own where absent. */
  readonly worker?: string;
  readonly cwd?: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs one stage in a fresh Node process and waits for its end, and that of whatever it started. A crash, a kill for memory or a time-out is an outcome,
 * never an exception; only `signal` aborts with one.
 * @throws the signal's reason once it is aborted
 */
export async function launchStage(request: StageRequest, options: LaunchOptions): Promise<LaunchOutcome> {
  const scratch = await scratchFolder();
  const script = options.worker ?? worker;
  // Where memory is measured, what reading leaves behind would be reused by the call.
  const ofStage = request.stage === 'memory' ? memoryEnvironment : await handOn(script);
  const child = execa(process.execPath, ['--expose-gc', script], {
    ipc: true,
    ipcInput: request as never,
    timeout: options.timeoutSeconds * 1000,
    killSignal: 'SIGKILL',
    reject: false,
    stdin: 'ignore',
    maxBuffer: 1e6,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    env: { ...scratch.env, ...ofStage },
    ...(options.signal !== undefined && { cancelSignal: options.signal }),
    detached: hasGroups,
  });
  const result = await child;
  signalGroup(child.pid, 'SIGKILL');
  await scratch.remove();
  options.signal?.throwIfAborted();
  const answer = result.ipcOutput?.at(-1) as StageAnswer | undefined;
  if (answer !== undefined) return tamed(answer);
  if (result.timedOut) return { outcome: 'timed-out', reason: `no answer within ${options.timeoutSeconds} s` };
  return { outcome: 'failed', reason: endOf(result.exitCode, result.signal, String(result.stderr ?? '')) };
}
