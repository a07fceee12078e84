import { parseCommandString } from 'execa';
import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { ownModule } from '../processes/own-module.ts';
import { describedAdapter } from './worker-adapter.ts';
import type { WorkerCommand } from './worker-process.ts';

/** A worker's command as a user writes it, such as `python3 my_worker.py`; spaces inside an argument are escaped by `\`. @throws USAGE */
export function parseWorker(text: string, cwd: string): WorkerCommand {
  const [program, ...rest] = parseCommandString(text);
  if (program === undefined || program === '')
    throw new AttnswapError('USAGE', 'the command of a worker is empty, expected one such as python3 my_worker.py');
  return { command: [program, ...rest], cwd };
}

/**
 * Starts a worker to hear what it can do; it is started anew for every cell, by the module that the entry names.
 * @throws USAGE, WORKER_FAILED, WORKER_PROTOCOL
 */
export async function workerEntry(text: string, cwd: string): Promise<AdapterEntry> {
  const worker = parseWorker(text, cwd);
  const adapter = await describedAdapter(worker);
  const module = ownModule('./command-adapter', import.meta.url);
  module.searchParams.set('worker', JSON.stringify(worker));
  return { name: adapter.name, backends: adapter.backends, module: module.href, load: async () => adapter };
}

/** The command in an entry's URL. */
export function commandOf(url: string): WorkerCommand {
  return JSON.parse(new URL(url).searchParams.get('worker') ?? '') as WorkerCommand;
}
