import type { Command } from 'commander';
import type { AdapterEntry } from '../contract/adapter.ts';
import { workerEntry } from '../protocol/worker-entry.ts';

/** What a command that runs kernels takes of backends that attnswap does not bring. */
export interface BackendFlags {
  readonly worker?: readonly string[];
  readonly python?: string;
}

export function withBackends(given: Command): Command {
  const collect = (text: string, known: readonly string[] = []) => [...known, text];
  return given
    .option('--worker <command>', "a program whose backends are added, such as 'python3 my_worker.py'; repeat it for each", collect)
    .option('--python <path>', 'the Python of the torch backends (default: ATTNSWAP_PYTHON, an active venv, python3)');
}

/** The adapters of the workers that the flags name, before the built-in ones. @throws what starting a worker throws */
export async function withWorkers(
  { worker = [], python }: BackendFlags,
  builtIn: readonly AdapterEntry[],
): Promise<readonly AdapterEntry[]> {
  // The processes that measure inherit it.
  if (python !== undefined) process.env['ATTNSWAP_PYTHON'] = python;
  return [...(await Promise.all(worker.map((command) => workerEntry(command, process.cwd())))), ...builtIn];
}
