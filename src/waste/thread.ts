import { parentPort, workerData } from 'node:worker_threads';
import { measureHeads } from './in-threads.ts';
import type { ThreadRequest } from './in-threads.ts';

measureHeads(workerData as ThreadRequest, (answer, transferred) => parentPort!.postMessage(answer, transferred));
