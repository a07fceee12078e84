import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { execa } from 'execa';
import '../processes/quiet-environment.ts';
import { failed } from './read-reply.ts';

/** A process that runs. */
export interface Program {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves, to how, when the process has ended. */
  readonly ended: Promise<string>;
  /** Ends it at once. */
  kill(): void;
}

/** Where a program runs. */
export interface Place {
  readonly cwd?: string;
  /** All of its environment. @default this process's */
  readonly env?: Readonly<Record<string, string>>;
  /** In a session of its own, where Ctrl-C does not reach it; it does not keep this process from ending, and is to end at the end of its standard input. */
  readonly apart?: boolean;
}

/** Starts a program. @throws WORKER_FAILED where it cannot be started */
export function spawnProgram([file, ...given]: readonly [string, ...string[]], { cwd, env, apart = false }: Place): Program {
  const child = execa(file, given, {
    ...(cwd !== undefined && { cwd }),
    ...(env !== undefined && { env, extendEnv: false }),
    detached: apart,
    cleanup: !apart,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    killSignal: 'SIGKILL',
  });
  const { pid, stdin, stdout, stderr, nodeChildProcess } = child;
  if (pid === undefined)
    throw failed(`the worker ${[file, ...given].join(' ')} could not be started`, 'is the program installed and on the PATH?');
  // Not execa's own promise: that waits for the pipes too, which a child of the worker may hold.
  const ended = once(nodeChildProcess, 'exit').then(([code, signal]) => howEnded(code as number, signal as string | null));
  if (apart) for (const handle of [nodeChildProcess, stdin, stdout, stderr] as Array<{ unref(): void }>) handle.unref();
  return { pid, stdin, stdout, stderr, ended, kill: () => void child.kill('SIGKILL') };
}

export function howEnded(code: number | null, signal: string | null): string {
  return signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
}
