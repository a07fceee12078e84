import { openSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import { temporaryFolder } from '../processes/temporary.ts';
import { startWorker } from './worker-process.ts';
import type { WorkerCommand } from './worker-process.ts';
import { connectIn, socketIn } from './sockets.ts';

// Importing PyTorch and transformers takes seconds of processor time. A command's own process therefore keeps, for each Python and environment, one
// process that has imported what workers need, and forks them from it (forks.py). The processes that measure ask for it through a socket.

/** Where the command's process listens; '' where workers start afresh. */
const variable = 'ATTNSWAP_FORKS';

type Environment = Readonly<Record<string, string>>;

/** Differ from process to process, and are read when they are needed; everything else a library may read when it is imported. */
const perProcess = /^(TMPDIR|TEMP|TMP|TORCHINDUCTOR_CACHE_DIR|NODE_.*|ATTNSWAP_.*)$/;

const askedSchema = z.object({ command: z.tuple([z.string()], z.string()), env: z.record(z.string(), z.string()) });
const answeredSchema = z.object({ folder: z.string().nullable() });

/** What tells the processes that this one starts where to ask. */
export async function forksEnvironment(): Promise<Environment> {
  return process.env[variable] === undefined ? { [variable]: await (broker ??= offer()) } : {};
}

/** For processes whose workers are to start afresh. */
export const withoutForks: Environment = { [variable]: '' };

/** The folder of the server that forks a command's workers; null where there is none. */
export async function forkServer(command: WorkerCommand['command'], env: Environment): Promise<string | null> {
  const offered = process.env[variable];
  if (offered === undefined) return serverOf(command, env);
  if (offered === '') return null;
  try {
    const socket = await connectIn(offered, 'broker');
    socket.write(`${JSON.stringify({ command, env })}\n`);
    for await (const line of createInterface({ input: socket })) return answeredSchema.parse(JSON.parse(line)).folder;
  } catch {
    // The command's process is gone, and this one will soon be.
  }
  return null;
}

let broker: Promise<string> | undefined;

async function offer(): Promise<string> {
  if (process.platform !== 'linux') return '';
  const folder = await temporaryFolder('forks');
  const server = createServer((socket) => void answer(socket).catch(() => socket.destroy()));
  return new Promise((resolve) => {
    server.once('error', () => resolve(''));
    server.listen(socketIn(openSync(folder, 'r'), 'broker'), () => resolve(folder)).unref();
  });
}

async function answer(socket: Socket): Promise<void> {
  socket.on('error', () => undefined).unref();
  for await (const line of createInterface({ input: socket })) {
    const { command, env } = askedSchema.parse(JSON.parse(line));
    socket.end(`${JSON.stringify({ folder: await serverOf(command, env) })}\n`);
  }
}

const servers = new Map<string, Promise<string | null>>();

function serverOf(command: WorkerCommand['command'], env: Environment): Promise<string | null> {
  if (process.platform !== 'linux') return Promise.resolve(null);
  const shared = Object.entries(env).filter(([name]) => !perProcess.test(name));
  const key = JSON.stringify([command, shared.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  const known = servers.get(key) ?? startServer(command, env, () => servers.set(key, Promise.resolve(null)));
  servers.set(key, known);
  return known;
}

const startedSchema = z.union([z.object({ unsupported: z.string() }), z.object({})]);

async function startServer(command: WorkerCommand['command'], env: Environment, lost: () => void): Promise<string | null> {
  const folder = await temporaryFolder('forks');
  try {
    const server = startWorker({ command, env, apart: true });
    const started = await server.ask('fork-server', { folder }, startedSchema);
    if (!('unsupported' in started)) {
      void server.died.then(lost);
      return folder;
    }
    process.emitWarning(`every worker imports its libraries anew: ${started.unsupported}`, 'attnswap');
    await server.close();
  } catch (error) {
    // A program that fails tells why when it is started to work.
    if (!(error instanceof AttnswapError)) throw error;
  }
  return null;
}
