import { execa } from 'execa';
import { fileURLToPath } from 'node:url';
import { ownModule } from '../processes/own-module.ts';
import { withoutForks } from '../protocol/fork-servers.ts';
import { tamed } from '../text/untrusted.ts';
import { stageFault } from './fault.ts';
import { forkArm } from './forked-arm.ts';
import type { ForkedArm } from './forked-arm.ts';
import { inTime } from './in-time.ts';
import { handOn } from './hand-on.ts';
import { readiness } from './messages.ts';
import type { ModelStageRequest, StageAnswer, StageRequest } from './messages.ts';
import { memoryEnvironment } from './peak-memory.ts';
import { endOf, hasGroups, scratchFolder, signalGroup } from './process-group.ts';

const worker = fileURLToPath(ownModule('./worker', import.meta.url));

export type LaunchOutcome = StageAnswer | { readonly outcome: 'timed-out'; readonly reason: string };

export interface LaunchOptions {
  /** For all that it does; of a cell, until it is prepared and from its first call on. */
  readonly timeoutSeconds: number;
  /** How many cells are prepared at once: until it is prepared, each may take as many times longer. */
  readonly preparing?: number;
  /** Asked once a cell is prepared; settles when its kernel may be called. */
  readonly quiet?: (() => Promise<unknown>) | undefined;
  /** The script that runs the stage; this version's own where absent. */
  readonly worker?: string;
  readonly cwd?: string;
  /** Whether a worker that it starts in turn imports its libraries anew. */
  readonly withoutForks?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs one stage in a fresh Node process, or of a model in a process that is forked for it alone, and waits for its end, and that of whatever it started. A
 * crash, a kill for memory or a time-out is an outcome, never an exception; only `signal` aborts with one.
 * @throws the signal's reason once it is aborted
 */
export async function launchStage(request: StageRequest, options: LaunchOptions): Promise<LaunchOutcome> {
  if (!('model' in request)) return launchProcess(request, options);
  const env = request.stage === 'memory' ? memoryEnvironment : {};
  const forked = await forkArm(request, { ...options, env });
  return forked === null ? launchProcess(request, options) : stageIn(forked, request, options);
}

/** Runs a stage of a model in a process that was forked for it, asked by this one. */
async function stageIn(forked: ForkedArm, request: ModelStageRequest, { timeoutSeconds, signal }: LaunchOptions): Promise<LaunchOutcome> {
  const { modelStage } = await import('./stages.ts');
  const answer: Promise<LaunchOutcome> = modelStage(request, (purpose) => forked.prepare(request, purpose)).catch(stageFault);
  try {
    return await inTime(answer, timeoutSeconds, lateStage(timeoutSeconds));
  } finally {
    await forked.close();
    signal?.throwIfAborted();
  }
}

async function launchProcess(request: StageRequest, options: LaunchOptions): Promise<LaunchOutcome> {
  const scratch = await scratchFolder();
  const script = options.worker ?? worker;
  const ofStage = {
    ...(await handOn(script)),
    ...(request.stage === 'memory' && memoryEnvironment),
    ...(options.withoutForks === true && withoutForks),
  };
  const late = new AbortController();
  let seconds = options.timeoutSeconds * (options.preparing ?? 1);
  const limit = (): NodeJS.Timeout => setTimeout(() => late.abort(), seconds * 1000).unref();
  let timer = limit();
  const child = execa(process.execPath, ['--expose-gc', script], {
    ipc: true,
    ipcInput: request as never,
    killSignal: 'SIGKILL',
    reject: false,
    stdin: 'ignore',
    maxBuffer: 1e6,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    env: { ...scratch.env, ...ofStage },
    cancelSignal: options.signal === undefined ? late.signal : AbortSignal.any([late.signal, options.signal]),
    detached: hasGroups,
  });
  const timed = async (): Promise<void> => {
    await child.getOneMessage({ filter: isReady });
    clearTimeout(timer);
    await options.quiet?.();
    seconds = options.timeoutSeconds;
    timer = limit();
    await child.sendMessage('go');
  };
  // A process that ends before it is ready, or is not there any more, is told by its end.
  timed().catch(() => undefined);
  const result = await child;
  clearTimeout(timer);
  signalGroup(child.pid, 'SIGKILL');
  await scratch.remove();
  options.signal?.throwIfAborted();
  const answer = result.ipcOutput?.at(-1);
  if (answer !== undefined && !isReady(answer)) return tamed(answer as StageAnswer);
  if (late.signal.aborted) return lateStage(seconds);
  return { outcome: 'failed', reason: endOf(result.exitCode, result.signal, String(result.stderr ?? '')) };
}

function lateStage(seconds: number): LaunchOutcome {
  return { outcome: 'timed-out', reason: `no answer within ${seconds} s` };
}

function isReady(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'outcome' in message && message.outcome === readiness.outcome;
}
