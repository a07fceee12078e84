import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { tamed } from '../text/untrusted.ts';
import type { Arm } from './arm.ts';
import { forkArm } from './forked-arm.ts';
import type { ForkedArm } from './forked-arm.ts';
import { inTime } from './in-time.ts';
import { handOn } from './hand-on.ts';
import { withoutForks } from '../protocol/fork-servers.ts';
import { PairArm } from './pair-arm.ts';
import { endOf, hasGroups, scratchFolder, signalGroup } from './process-group.ts';
import type { PairAnswer, PairFault, PairQuestion } from './pair-messages.ts';

/**
 * A worker that stays until it is closed, and is stopped (SIGSTOP) whenever it is not asked: runtimes let their idle threads spin, ONNX
 * Runtime's for some 50 ms, which doubles what the other arm measures. Windows knows no such signal: there the arms wait it out.
 */
export interface Resident {
  /** Its answer, or a fault where it dies or says nothing in time; only an aborted signal throws. */
  ask<Wanted extends PairAnswer['answer']>(
    question: PairQuestion,
    wanted: Wanted,
  ): Promise<Extract<PairAnswer, { answer: Wanted }> | PairFault>;
  /** Ends the process and waits for its end. */
  close(): Promise<void>;
}

export interface ResidentOptions {
  readonly timeoutSeconds: number;
  /** Whether a worker that it starts in turn imports its libraries anew. */
  readonly withoutForks?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Starts a fresh worker for one arm, in the arm's folder and from the arm's version of attnswap: a Node process, or of a model one that is forked for it alone.
 */
export async function startResident(arm: Arm, options: ResidentOptions): Promise<Resident> {
  const forked = 'model' in arm.request ? await forkArm(arm.request, { ...arm, ...options }) : null;
  return forked === null ? startProcess(arm, options) : residentOf(forked, options);
}

/** An arm that this process asks itself. */
function residentOf(forked: ForkedArm, { timeoutSeconds, signal }: ResidentOptions): Resident {
  const arm = new PairArm((request, figure) => forked.prepare(request, figure));
  const ask: Resident['ask'] = async (question, wanted) => {
    const answer = await inTime(arm.answer(question), timeoutSeconds, lateAnswer(timeoutSeconds));
    signal?.throwIfAborted();
    return asWanted(answer, question, wanted);
  };
  return { ask, close: () => forked.close() };
}

async function startProcess(arm: Arm, options: ResidentOptions): Promise<Resident> {
  const scratch = await scratchFolder();
  const child = execa(process.execPath, ['--expose-gc', arm.worker], {
    ipc: true,
    cwd: arm.cwd,
    env: { ...scratch.env, ...(await handOn(arm.worker)), ...(options.withoutForks === true && withoutForks) },
    reject: false,
    // A session of its own: a stopped process in the tool's group would have the whole group hung up when its shell ends.
    detached: hasGroups,
    stdin: 'ignore',
    maxBuffer: 1e6,
    // The answers come one at a time; kept too, they would fill memory over a long run.
    buffer: { ipc: false, stdout: true, stderr: true },
    killSignal: 'SIGKILL',
    ...(options.signal !== undefined && { cancelSignal: options.signal }),
  });
  const warden = guard(child.pid);
  const died = (async (): Promise<PairFault> => {
    const { exitCode, signal, stderr } = await child;
    return { answer: 'fault', status: 'failed', reason: endOf(exitCode, signal, String(stderr ?? '')) };
  })();
  const ask: Resident['ask'] = async (question, wanted) => {
    signalGroup(child.pid, 'SIGCONT');
    const reply = Promise.race([exchange(child, question, died), died]);
    const answer = await inTime(reply, options.timeoutSeconds, lateAnswer(options.timeoutSeconds));
    await rest(child.pid);
    options.signal?.throwIfAborted();
    return asWanted(answer, question, wanted);
  };
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await died;
    signalGroup(child.pid, 'SIGKILL');
    warden?.kill('SIGKILL');
    await scratch.remove();
  };
  return { ask, close };
}

function asWanted<Wanted extends PairAnswer['answer']>(
  answer: PairAnswer,
  { ask }: PairQuestion,
  wanted: Wanted,
): Extract<PairAnswer, { answer: Wanted }> | PairFault {
  if (answer.answer === wanted || answer.answer === 'fault') return answer as never;
  return { answer: 'fault', status: 'failed', reason: `asked to ${ask}, the worker answered ${answer.answer}` };
}

const spinMs = 60;

async function rest(leader: number | undefined): Promise<void> {
  if (hasGroups) signalGroup(leader, 'SIGSTOP');
  else await setTimeout(spinMs);
}

/**
 * A shell that does nothing until this process is gone, however it went, and then ends the worker: one that is stopped would not
 * notice, and stay for ever.
 */
function guard(pid: number | undefined): { kill(signal: 'SIGKILL'): void } | undefined {
  if (!hasGroups || pid === undefined) return undefined;
  const warden = execa('/bin/sh', ['-c', `read line; kill -s KILL -- -${pid}`], {
    stdin: 'pipe',
    stdout: 'ignore',
    stderr: 'ignore',
    reject: false,
    // It must outlive this process, and not hear a Ctrl-C meant for it.
    cleanup: false,
    detached: true,
  });
  return { kill: (signal) => void warden.kill(signal) };
}

interface Channel {
  sendMessage(message: never): Promise<void>;
  getOneMessage(): Promise<unknown>;
}

async function exchange(child: Channel, question: PairQuestion, died: Promise<PairFault>): Promise<PairAnswer> {
  try {
    const answer = child.getOneMessage();
    // Should the question fail to be sent, no one waits for its answer any more: its failing must not end the tool.
    answer.catch(() => undefined);
    await child.sendMessage(question as never);
    return tamed((await answer) as PairAnswer);
  } catch {
    // The channel closed: how the process ended says more.
    return died;
  }
}

function lateAnswer(seconds: number): PairFault {
  return { answer: 'fault', status: 'timed-out', reason: `no answer within ${seconds} s` };
}
