import { parentPort, workerData } from 'node:worker_threads';
import { findVariant } from '../variants/index.ts';
import { HeadMeter } from './head-sums.ts';
import type { MeasuredHead, ThreadRequest } from './in-threads.ts';

// Measures heads until all are taken.
const { nextHead, variant, dense, ...request } = workerData as ThreadRequest;
const meter = new HeadMeter({ ...request, variant: findVariant(variant), dense: findVariant(dense) });
for (let head = take(); head < request.inputs.shape.heads; head = take()) {
  const sums = meter.measure(head);
  const measured: MeasuredHead = { head, sums };
  parentPort!.postMessage(measured, [sums.sums.buffer as ArrayBuffer, sums.replicates.buffer as ArrayBuffer]);
}

function take(): number {
  return Atomics.add(nextHead, 0, 1);
}
