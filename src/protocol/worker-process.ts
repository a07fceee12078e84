import { setTimeout } from 'node:timers/promises';
import type { z } from 'zod';
import { oneLine } from '../text/untrusted.ts';
import { spawnProgram } from './program.ts';
import type { Place, Program } from './program.ts';
import { readLines } from './read-lines.ts';
import { failed, readEnvelope, readReply, violation } from './read-reply.ts';

/** Longest wait for one answer of a training: an epoch of a large task may take hours. A worker that died is noticed at once. */
export const trainingSeconds = 86_400;

/** How to start a worker. */
export interface WorkerCommand extends Place {
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  /** Longest wait for one answer, seconds; 600, as a cell's own time-out is shorter. */
  readonly timeoutSeconds?: number;
  /** Ends the process at once. */
  readonly signal?: AbortSignal | undefined;
}

/** A worker that runs and answers one question at a time. */
export interface WorkerProcess {
  readonly pid: number;
  /** @throws WORKER_PROTOCOL for an answer that is none; WORKER_FAILED for a fault, a death or silence. After either the process is gone. */
  ask<Reply>(ask: string, fields: Readonly<Record<string, unknown>>, reply: z.ZodType<Reply>, patienceSeconds?: number): Promise<Reply>;
  /** Whether a question is answered with an error: of one that no worker knows, as it should be. */
  isRefused(ask: string): Promise<boolean>;
  /** Ends its standard input; resolves when it has ended by itself. */
  endInput(): Promise<void>;
  /** Whether the process is gone. */
  ended(): boolean;
  /** Resolves, to how, when the process has ended without being told to; never, if it was ended. */
  readonly died: Promise<string>;
  /** Ends the process at once. */
  kill(): Promise<void>;
  /** Says goodbye, waits five seconds at most, and ends the process. */
  close(): Promise<void>;
}

const farewellSeconds = 5;

/** Starts a worker; nothing is asked yet. @throws WORKER_FAILED where the program cannot be started */
export function startWorker({ command, timeoutSeconds = 600, signal, ...where }: WorkerCommand): WorkerProcess {
  return converse(spawnProgram(command, where), { command, timeoutSeconds, signal });
}

/** A worker in a process that runs. */
export function converse(
  program: Program,
  { command, timeoutSeconds = 600, signal }: Pick<WorkerCommand, 'command' | 'timeoutSeconds' | 'signal'>,
): WorkerProcess {
  const shown = command.join(' ');
  const { pid, stdin, ended } = program;
  const abort = (): void => program.kill();
  signal?.addEventListener('abort', abort);
  if (signal?.aborted === true) abort();
  let gone = false;
  let told = false;
  void ended.then(() => {
    gone = true;
    signal?.removeEventListener('abort', abort);
  });
  const died = new Promise<string>((resolve) => void ended.then((how) => told || resolve(how)));
  const lines = readLines(program.stdout);
  const stderr = lastWords(program.stderr);
  stdin.on('error', () => undefined); // A worker that is gone reads nothing: how it ended says more.
  let asked = 0;

  /** Ends the process at whatever is no answer. */
  async function exchange<Reply>(
    question: string,
    fields: Readonly<Record<string, unknown>>,
    read: (line: string, id: number) => Reply,
    patience = timeoutSeconds,
  ): Promise<Reply> {
    const id = ++asked;
    stdin.write(`${JSON.stringify({ id, ask: question, ...fields })}\n`);
    try {
      return read(await nextLine(question, patience), id);
    } catch (error) {
      await kill();
      throw error;
    }
  }

  async function kill(): Promise<void> {
    told = true;
    program.kill();
    await ended;
  }

  async function nextLine(question: string, patience: number): Promise<string> {
    const timer = new AbortController();
    const late = setTimeout(patience * 1000, 'late' as const, { signal: timer.signal }).catch(() => 'late' as const);
    const line = await Promise.race([lines.next(), late]).finally(() => timer.abort());
    if (line === 'late') throw failed(`the worker ${shown} did not answer ${question} within ${patience} s`);
    if (line.state === 'line') return line.text;
    if (line.state === 'refused') throw violation(`the worker ${shown}, asked ${question}, ${line.reason}`);
    const how = await ended;
    const said = oneLine(stderr());
    throw failed(`the worker ${shown} ${how} when asked ${question}${said === '' ? '' : `: ${said}`}`);
  }

  async function close(): Promise<void> {
    told = true;
    stdin.end(`${JSON.stringify({ id: ++asked, ask: 'bye' })}\n`);
    const timer = new AbortController();
    await Promise.race([ended, setTimeout(farewellSeconds * 1000, undefined, { signal: timer.signal }).catch(() => undefined)]);
    timer.abort();
    await kill();
  }

  async function endInput(): Promise<void> {
    told = true;
    stdin.end();
    await ended;
  }

  return {
    pid,
    ask: (question, fields, reply, patience) =>
      exchange(question, fields, (line, id) => readReply(line, { id, question, shown }, reply), patience),
    isRefused: (question) => exchange(question, {}, (line, id) => readEnvelope(line, { id, question, shown }).error !== undefined),
    endInput,
    ended: () => gone,
    died,
    kill,
    close,
  };
}

/** The last 500 characters of a stream. */
function lastWords(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-500)));
  return () => text;
}
