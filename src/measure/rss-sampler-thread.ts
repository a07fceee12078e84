import { parentPort, workerData } from 'node:worker_threads';
import type { SampledRss } from './rss-sampler.ts';

const intervalMs = 1;
const { peak, ended } = workerData as SampledRss;

function read(): void {
  const seen = Atomics.load(peak, 0);
  const residentBytes = BigInt(process.memoryUsage.rss());
  // Not a plain store: a reset in between must win.
  if (residentBytes > seen) Atomics.compareExchange(peak, 0, seen, residentBytes);
}

read();
parentPort?.postMessage('reading');
while (Atomics.load(ended, 0) === 0) {
  read();
  Atomics.wait(ended, 0, 0, intervalMs);
}
