import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { forkedWorkers } from '../processes/forked.ts';
import { forkServer, tellFresh } from './fork-servers.ts';
import { howEnded } from './program.ts';
import type { Program } from './program.ts';
import { connectIn } from './sockets.ts';
import { converse, startWorker } from './worker-process.ts';
import type { WorkerCommand, WorkerProcess } from './worker-process.ts';

const startedSchema = z.union([z.object({ pid: z.int().positive() }), z.object({ unsupported: z.string() })]);
const endedSchema = z.object({ code: z.int().nullable().default(null), signal: z.string().nullable().default(null) });

/** Longest wait for a worker to be forked: what a model needs is imported first. */
const patienceSeconds = 60;

/** A worker that is forked from a process that has imported what it needs, where there can be one; else a fresh one. `preload` is a model that it opens. */
export async function forkWorker(command: WorkerCommand, preload: string | null): Promise<WorkerProcess> {
  return (await forkedWorker(command, preload)) ?? startWorker(command);
}

/** The same; null where there can be none. */
export async function forkedWorker(command: WorkerCommand, preload: string | null): Promise<WorkerProcess | null> {
  const { signal } = command;
  const limit = new AbortController();
  const stop = (): void => limit.abort();
  signal?.addEventListener('abort', stop);
  if (signal?.aborted === true) stop();
  try {
    const program = await forkProgram(command, preload, limit);
    return program === undefined ? null : converse(program, command);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** Undefined where there is to be a fresh one, also once `limit` is aborted. */
async function forkProgram(
  { command, cwd = process.cwd(), env = environment(), timeoutSeconds = patienceSeconds }: WorkerCommand,
  preload: string | null,
  limit: AbortController,
): Promise<Program | undefined> {
  const { signal } = limit;
  if (signal.aborted) return undefined;
  const aborted = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null)));
  const folder = await Promise.race([forkServer({ command, cwd, env }), aborted]);
  if (folder === null || signal.aborted) return undefined;
  const seconds = Math.min(timeoutSeconds, patienceSeconds);
  let late = false;
  const timer = setTimeout(() => {
    late = !signal.aborted;
    limit.abort();
  }, seconds * 1000);
  const worker = randomUUID();
  const sockets: Socket[] = [];
  const connect = async (role: string, more = {}): Promise<Socket> => {
    const socket = await connectIn(folder, 'socket');
    sockets.push(socket);
    if (signal.aborted) socket.destroy();
    socket.on('error', () => undefined).write(`${JSON.stringify({ worker, role, ...more })}\n`);
    return socket;
  };
  // Ends what is waited for below.
  signal.addEventListener('abort', () => sockets.forEach((socket) => socket.destroy()), { once: true });
  let reason = 'the process that forks them does not take requests';
  try {
    const roles = ['stdin', 'stdout', 'stderr'].map((role) => connect(role));
    const connecting = await Promise.allSettled([connect('control', { cwd, env, preload }), ...roles]);
    const [control, stdin, stdout, stderr] = connecting.map((each) => (each.status === 'fulfilled' ? each.value : undefined));
    if (control !== undefined && stdin !== undefined && stdout !== undefined && stderr !== undefined) {
      const next = linesOf(control);
      const started = startedSchema.parse(parse(await Promise.race([next(), aborted])));
      if ('pid' in started && !signal.aborted) {
        const { pid } = started;
        forkedWorkers.add(pid);
        const ended = next().then((line) => {
          forkedWorkers.delete(pid);
          const { code, signal: by } = endedSchema.parse(parse(line));
          return howEnded(code, by);
        });
        return { pid, stdin, stdout, stderr, ended, kill: () => void control.end() };
      }
      if ('unsupported' in started) reason = started.unsupported;
    }
  } finally {
    clearTimeout(timer);
  }
  for (const socket of sockets) socket.destroy();
  if (late) reason = `the process that forks them did not answer within ${seconds} s`;
  if (late || !signal.aborted) await tellFresh(reason);
  return undefined;
}

/** This process's. */
export function environment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** The lines of a connection, one a call; undefined from its end on, however it ended. */
function linesOf(socket: Socket): () => Promise<string | undefined> {
  const input = createInterface({ input: socket });
  socket.once('close', () => input.close());
  const lines = input[Symbol.asyncIterator]();
  return () =>
    lines.next().then(
      ({ value }: IteratorResult<string, undefined>) => value,
      () => undefined,
    );
}

/** A line of what forks workers; where that is gone, the system has ended all of them. */
function parse(line: string | null | undefined): unknown {
  return typeof line !== 'string' ? { unsupported: 'the process that forks them is gone', signal: 'SIGKILL' } : JSON.parse(line);
}
