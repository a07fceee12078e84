import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { variants } from '../variants/index.ts';
import type { WasteSums } from './figures.ts';
import { measureWaste, reportWaste } from './measure-waste.ts';
import { refuseWaste } from './request.ts';
import type { WasteRequest } from './request.ts';
import type { WasteReport } from './schema.ts';

/** Below so many pairs, threads take longer to start than they save. */
const fewestPairs = 4e6;

/** What a thread is given: the request, with variants by their names, and the next head that no thread has taken. */
export interface ThreadRequest extends Omit<WasteRequest, 'variant' | 'dense' | 'relevant'> {
  readonly variant: string;
  readonly dense: string;
  readonly nextHead: Int32Array<SharedArrayBuffer>;
}

/** What a thread says of each head that it measured. */
export interface MeasuredHead {
  readonly head: number;
  readonly sums: WasteSums;
}

/**
 * The same report as {@link measureWaste}'s, to the bit: of much work, each head is measured in one of as many threads as there are cores,
 * which share the inputs. What only this thread has (relevant keys, a variant of the caller's own) is measured here.
 * @throws what {@link measureWaste} throws
 */
export async function measureWasteInThreads(request: WasteRequest): Promise<WasteReport> {
  refuseWaste(request);
  const { heads } = request.inputs.shape;
  const threads = Math.min(heads, availableParallelism());
  if (threads === 1 || !canBeShared(request) || pairsOf(request) < fewestPairs) return measureWaste(request);
  const workers = startThreads(request, threads);
  const measured = await Promise.all(workers.map(headsOf)).catch(() => undefined);
  // One that failed leaves others at work.
  await Promise.all(workers.map((worker) => worker.terminate()));
  const sums = measured?.flat().toSorted((a, b) => a.head - b.head) ?? [];
  // An error belongs to a row, and is found again here with all that it says.
  if (sums.length < heads) return measureWaste(request);
  return reportWaste(
    request,
    sums.map((each) => each.sums),
  );
}

function canBeShared({ variant, dense, relevant }: WasteRequest): boolean {
  return relevant === undefined && variants.includes(variant) && variants.includes(dense);
}

function pairsOf({ rows, inputs: { shape } }: WasteRequest): number {
  const all = shape.batch * shape.heads * shape.queries;
  return shape.keys * (rows === 'all' ? all : Math.min(all, rows.count));
}

function startThreads(request: WasteRequest, threads: number): Worker[] {
  const workerData: ThreadRequest = {
    ...request,
    inputs: shared(request.inputs),
    variant: request.variant.name,
    dense: request.dense.name,
    nextHead: new Int32Array(new SharedArrayBuffer(4)),
  };
  // The compiled package holds .js where the sources hold .ts.
  const thread = new URL(`./thread${extname(import.meta.url)}`, import.meta.url);
  return Array.from({ length: threads }, () => new Worker(thread, { workerData }));
}

/** What a thread measured until no head was left. */
function headsOf(thread: Worker): Promise<MeasuredHead[]> {
  const { promise, resolve, reject } = Promise.withResolvers<MeasuredHead[]>();
  const found: MeasuredHead[] = [];
  thread.on('message', (head: MeasuredHead) => found.push(head));
  thread.on('error', reject);
  thread.on('exit', () => resolve(found));
  return promise;
}

/** A copy whose arrays lie in memory that threads share. */
function shared<Value>(value: Value): Value {
  if (value instanceof Float32Array || value instanceof Uint8Array) {
    const copy = new (value.constructor as typeof Float32Array)(new SharedArrayBuffer(value.byteLength));
    copy.set(value);
    return copy as Value;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shared(part)])) as Value;
}
