import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { forkServer } from './fork-servers.ts';
import { howEnded } from './program.ts';
import type { Program } from './program.ts';
import { connectIn } from './sockets.ts';
import { converse, startWorker } from './worker-process.ts';
import type { WorkerCommand, WorkerProcess } from './worker-process.ts';

const startedSchema = z.union([z.object({ pid: z.int().positive() }), z.object({ unsupported: z.string() })]);
const endedSchema = z.object({ code: z.int().nullable().default(null), signal: z.string().nullable().default(null) });

/** A worker that is forked from a process that has imported what it needs, where there can be one; else a fresh one. `preload` is a model that it opens. */
export async function forkWorker(command: WorkerCommand, preload: string | null): Promise<WorkerProcess> {
  const program = await forkProgram(command, preload);
  return program === undefined ? startWorker(command) : converse(program, command);
}

async function forkProgram({ command, cwd = process.cwd() }: WorkerCommand, preload: string | null): Promise<Program | undefined> {
  const env = Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
  const folder = await forkServer(command, env);
  if (folder === null) return undefined;
  const worker = randomUUID();
  const connect = async (role: string, more = {}): Promise<Socket> => {
    const socket = await connectIn(folder, 'socket');
    socket.on('error', () => undefined).write(`${JSON.stringify({ worker, role, ...more })}\n`);
    return socket;
  };
  const connecting = [connect('control', { cwd, env, preload }), ...['stdin', 'stdout', 'stderr'].map((role) => connect(role))];
  const sockets = (await Promise.allSettled(connecting)).flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
  const [control, stdin, stdout, stderr] = sockets;
  if (stderr !== undefined) {
    const told = createInterface({ input: control! })[Symbol.asyncIterator]();
    const started = startedSchema.parse(parse((await told.next()).value));
    if ('pid' in started) {
      const ended = told.next().then(({ value }) => {
        const { code, signal } = endedSchema.parse(parse(value));
        return howEnded(code, signal);
      });
      return { pid: started.pid, stdin: stdin!, stdout: stdout!, stderr, ended, kill: () => void control!.end() };
    }
  }
  // What forks workers is gone, or has a thread by now.
  for (const socket of sockets) socket.destroy();
  return undefined;
}

/** A line of what forks workers; where that is gone, the system has ended all of them. */
function parse(line: unknown): unknown {
  return typeof line === 'string' ? JSON.parse(line) : { unsupported: 'gone', signal: 'SIGKILL' };
}
