import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { RanksRequest } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Ranks } from '../contract/model-attention.ts';
import { temporaryFolder } from '../processes/temporary.ts';
import { modelOpenSchema, rankTrainSchema } from './model-messages.ts';
import { AnsweredError } from './read-reply.ts';
import type { WorkerProcess } from './worker-process.ts';

/** What to do where a process that trains is gone. */
export const continueTraining = 'run the same command to continue from the last checkpoint';
/** How long to wait for news of a process that ended, once another has lost it. */
const newsMs = 1000;

/** Opens a model in one worker per rank, once `greet` has accepted it; each is told which it is, and of a file through which they find each other. */
export async function openRanksOnWorkers(
  start: () => WorkerProcess,
  greet: (worker: WorkerProcess) => Promise<void>,
  { backend, model, ranks, threads, deepspeed, signal }: RanksRequest,
): Promise<Ranks> {
  const folder = await temporaryFolder('ranks');
  const workers: WorkerProcess[] = [];
  const dispose = async () => {
    await Promise.all(workers.map((worker) => worker.kill()));
    await rm(folder, { recursive: true, force: true });
  };
  /** Asks all ranks the same at once. Where one fails, the others wait for it in vain. */
  const together = async <Reply>(ask: (worker: WorkerProcess, rank: number) => Promise<Reply>): Promise<Reply[]> => {
    try {
      return await Promise.all(workers.map(ask));
    } catch (error) {
      const deaths = workers.map(async ({ died, pid }, rank) => `rank ${rank} (process ${pid}) ${await died}`);
      const death = await Promise.race([...deaths, setTimeout(newsMs, undefined)]);
      await dispose();
      signal?.throwIfAborted();
      if (!(error instanceof AttnswapError) || error.code !== 'WORKER_FAILED') throw error;
      // What a rank says is wrong with what it was asked is wrong for good; silence may not be.
      if (death === undefined && error instanceof AnsweredError) throw new AttnswapError('UNSUPPORTED', error.message, { cause: error });
      const [on, others] = ranks > 1 ? [`${ranks} ranks`, '; the others were stopped'] : ['one rank', ''];
      throw new AttnswapError('WORKER_FAILED', `training on ${on}: ${death ?? error.message}${others}`, {
        hint: continueTraining,
        cause: error,
      });
    }
  };
  try {
    for (let rank = 0; rank < ranks; rank += 1) workers.push(start());
    const store = join(folder, 'store');
    await together(async (worker, rank) => {
      await greet(worker);
      const group = ranks === 1 ? null : { rank, ranks, store, deepspeed: deepspeed ?? null };
      const fields = { backend, model: resolve(model), purpose: 'latency', threads, group };
      const opened = await worker.ask('model-open', fields, modelOpenSchema);
      if ('unsupported' in opened) throw new AttnswapError('UNSUPPORTED', opened.unsupported);
    });
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    pids: workers.map(({ pid }) => pid),
    async train(placed, training) {
      const answers = await together((worker) => worker.ask('model-train', { sites: placed, ...training }, rankTrainSchema(training)));
      const { losses, parameters } = answers[0]!;
      return { losses, parameters, costs: answers.map(({ cost }) => cost) };
    },
    dispose,
  };
}
