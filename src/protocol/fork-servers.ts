import { closeSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { AttnswapError } from '../contract/errors.ts';
import { whenReleased } from '../processes/alone.ts';
import { temporaryFolder } from '../processes/temporary.ts';
import { startWorker } from './worker-process.ts';
import type { WorkerCommand } from './worker-process.ts';
import { connectIn, socketIn } from './sockets.ts';

// Importing PyTorch and transformers takes seconds of processor time. A command's own process therefore keeps, for each Python and environment, one
// process that has imported what workers need, and forks them from it (forks.py). The processes that measure ask for it through a socket. They end with the
// operation: what runs next may find another PyTorch installed.

/** Where the command's process listens; '' where workers start afresh. */
const variable = 'ATTNSWAP_FORKS';

type Environment = Readonly<Record<string, string>>;

/** Differ from process to process, and are read when they are needed; everything else a library may read when it is imported. */
const perProcess = /^(TMPDIR|TEMP|TMP|TORCHINDUCTOR_CACHE_DIR|NODE_.*|ATTNSWAP_.*)$/;

/** A program, and where it is to run. Python looks for modules in its folder, too. */
export interface Origin {
  readonly command: WorkerCommand['command'];
  readonly cwd: string;
  readonly env: Environment;
}

const askedSchema = z.union([
  z.object({ command: z.tuple([z.string()], z.string()), cwd: z.string(), env: z.record(z.string(), z.string()) }),
  z.object({ fresh: z.string() }),
]);
const answeredSchema = z.object({ folder: z.string().nullable() });

/** What tells the processes that this one starts where to ask. */
export async function forksEnvironment(): Promise<Environment> {
  return process.env[variable] === undefined ? { [variable]: await (broker ??= offer()) } : {};
}

/** For processes whose workers are to start afresh. */
export const withoutForks: Environment = { [variable]: '' };

/** The folder of the server that forks a command's workers; null where there is none. */
export async function forkServer(origin: Origin): Promise<string | null> {
  const offered = process.env[variable];
  if (offered === undefined) return serverOf(origin);
  return offered === '' ? null : askBroker(offered, origin);
}

const told = new Set<string>();

/** Says, once for each reason, that workers start afresh: in the command's process, whose warnings are read. */
export async function tellFresh(reason: string): Promise<void> {
  if (told.has(reason)) return;
  told.add(reason);
  const offered = process.env[variable];
  if (offered === undefined) process.emitWarning(`workers import their libraries anew: ${reason}`, 'attnswap');
  else if (offered !== '') await askBroker(offered, { fresh: reason });
}

/** What the command's process answers; null also where it is gone, as this one will soon be. */
async function askBroker(offered: string, asked: Origin | { readonly fresh: string }): Promise<string | null> {
  try {
    const socket = await connectIn(offered, 'broker');
    socket.on('error', () => undefined).write(`${JSON.stringify(asked)}\n`);
    for await (const line of createInterface({ input: socket })) return answeredSchema.parse(JSON.parse(line)).folder;
  } catch {
    // Told by null.
  }
  return null;
}

let broker: Promise<string> | undefined;

async function offer(): Promise<string> {
  if (process.platform !== 'linux') return '';
  const folder = await temporaryFolder('forks');
  const server = createServer((socket) => void answer(socket).catch(() => socket.destroy()));
  const descriptor = openSync(folder, 'r');
  try {
    await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(socketIn(descriptor, 'broker'), () => resolve(folder)).unref();
    });
    return folder;
  } catch (error) {
    await tellFresh(`${folder}: ${(error as Error).message}`);
    return '';
  } finally {
    closeSync(descriptor);
  }
}

async function answer(socket: Socket): Promise<void> {
  socket.on('error', () => undefined).unref();
  socket.setTimeout(requestMs, () => socket.destroy());
  for await (const line of createInterface({ input: socket })) {
    socket.setTimeout(0);
    const asked = askedSchema.parse(JSON.parse(line));
    const folder = 'fresh' in asked ? await tellFresh(asked.fresh).then(() => null) : await serverOf(asked);
    socket.end(`${JSON.stringify({ folder })}\n`);
  }
}

/** Longest wait for a request on an open connection. */
const requestMs = 60_000;

const servers = new Map<string, Promise<string | null>>();

function serverOf(origin: Origin): Promise<string | null> {
  if (process.platform !== 'linux') return Promise.resolve(null);
  const { command, cwd, env } = origin;
  const shared = Object.entries(env).filter(([name]) => !perProcess.test(name));
  const key = JSON.stringify([command, cwd, shared.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  const known: Promise<string | null> = servers.get(key) ?? startServer(origin, (how) => lost(key, known, how));
  servers.set(key, known);
  return known;
}

/** Of a server that has ended: one that was to is not missed. */
function lost(key: string, server: Promise<string | null>, how: string): void {
  if (servers.get(key) !== server) return;
  servers.set(key, Promise.resolve(null));
  void tellFresh(`the process that forks them ${how}`);
}

/** Lets the processes that fork workers end, each once its last worker has; a worker that is asked for now is forked from a new one. */
export async function endForkServers(): Promise<void> {
  const ending = [...servers.values()];
  servers.clear();
  for (const folder of await Promise.all(ending)) {
    if (folder === null) continue;
    try {
      const socket = await connectIn(folder, 'socket');
      socket.on('error', () => undefined).unref();
      socket.end('{"retire": true}\n');
    } catch {
      // Gone already.
    }
  }
}

whenReleased(() => void endForkServers());

const startedSchema = z.union([z.object({ unsupported: z.string() }), z.object({})]);

async function startServer({ command, cwd, env: given }: Origin, lost: (how: string) => void): Promise<string | null> {
  const folder = await temporaryFolder('forks');
  // The temporary folder of whoever asks first goes before this process does.
  const env = { ...given, TMPDIR: folder, TEMP: folder, TMP: folder };
  try {
    const server = startWorker({ command, cwd, env, apart: true });
    const started = await server.ask('fork-server', { folder, env }, startedSchema);
    if (!('unsupported' in started)) {
      void server.died.then(async (how) => {
        lost(how);
        await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      });
      return folder;
    }
    await tellFresh(started.unsupported);
    await server.close();
  } catch (error) {
    // A program that fails tells why when it is started to work.
    if (!(error instanceof AttnswapError)) throw error;
  }
  return null;
}
