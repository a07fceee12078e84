import { dirname } from 'node:path';
import type { ForkedProcess, KernelRequest } from '../contract/adapter.ts';
import { loadAdapter } from '../loading/adapter.ts';
import type { ModelArmRequest } from './messages.ts';
import { prepareModel } from './prepare-model.ts';
import type { PreparedModel } from './prepare-model.ts';
import { scratchFolder } from './process-group.ts';

export interface ForkedArmOptions {
  /** The script that a Node process of the arm would run, and where; this version's own, in this folder, where absent. */
  readonly worker?: string | undefined;
  readonly cwd?: string | undefined;
  /** Variables that the process has beside this one's. */
  readonly env?: Readonly<Record<string, string>>;
  readonly withoutForks?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Forks a process for a model that this one measures: calls and their clock are in there, so that a Node process between the two would add nothing but what it
 * takes itself. Null where none can be forked, or where another version of attnswap, or another folder, is measured.
 */
export async function forkArm({ adapterModule, backend, model }: ModelArmRequest, options: ForkedArmOptions): Promise<ForkedArm | null> {
  const { worker, cwd = process.cwd(), env, withoutForks = false, signal } = options;
  const isOther = worker !== undefined && dirname(worker) !== import.meta.dirname;
  if (isOther || cwd !== process.cwd() || withoutForks) return null;
  const adapter = await loadAdapter(adapterModule);
  if (adapter.fork === undefined) return null;
  const scratch = await scratchFolder();
  let forked: ForkedProcess | null = null;
  try {
    forked = await adapter.fork({ backend, model, env: { ...scratch.env, ...env }, signal });
  } finally {
    if (forked === null) await scratch.remove();
  }
  return forked && new ForkedArm(forked, scratch);
}

/** A model in a process that was forked for it. */
export class ForkedArm {
  readonly #process: ForkedProcess;
  readonly #scratch: { remove(): Promise<void> };
  #model: PreparedModel | undefined;

  constructor(process: ForkedProcess, scratch: { remove(): Promise<void> }) {
    this.#process = process;
    this.#scratch = scratch;
  }

  /** As {@link prepareModel}; once. */
  async prepare(request: ModelArmRequest, purpose: KernelRequest['purpose']): Promise<PreparedModel> {
    return (this.#model = await prepareModel(request, purpose, this.#process));
  }

  /** Ends the process, and waits for its end. */
  async close(): Promise<void> {
    await this.#process.end();
    await this.#model?.dispose();
    await this.#scratch.remove();
  }
}
