import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ownModule } from '../processes/own-module.ts';

/** A thread that keeps the largest resident size it has seen of this process. */
export interface RssSampler {
  /** Forgets what was seen so far. */
  reset(): void;
  peakBytes(): number;
  stop(): Promise<void>;
}

/** What the two threads share: the peak so far in bytes, and a flag that is 1 once the thread is to end. */
export interface SampledRss {
  readonly peak: BigInt64Array<SharedArrayBuffer>;
  readonly ended: Int32Array<SharedArrayBuffer>;
}

/** Starts the thread, and resolves once it has read for the first time. */
export async function startRssSampler(): Promise<RssSampler> {
  const shared: SampledRss = {
    peak: new BigInt64Array(new SharedArrayBuffer(8)),
    ended: new Int32Array(new SharedArrayBuffer(4)),
  };
  const worker = new Worker(ownModule('./rss-sampler-thread', import.meta.url), { workerData: shared });
  await once(worker, 'message');
  return {
    reset: () => void Atomics.store(shared.peak, 0, 0n),
    peakBytes: () => Number(Atomics.load(shared.peak, 0)),
    async stop() {
      const exit = once(worker, 'exit');
      Atomics.store(shared.ended, 0, 1);
      Atomics.notify(shared.ended, 0);
      await exit;
    },
  };
}
