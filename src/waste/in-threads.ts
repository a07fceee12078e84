import { Worker } from 'node:worker_threads';
import { AttnswapError } from '../contract/errors.ts';
import { threadCount } from '../processes/cpu-quota.ts';
import { ownModule } from '../processes/own-module.ts';
import { findVariant, variants } from '../variants/index.ts';
import type { WasteSums } from './figures.ts';
import { HeadMeter } from './head-sums.ts';
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

/** What a thread says of each head: its sums, or the error that measuring it threw. */
export type HeadAnswer =
  | { readonly head: number; readonly sums: WasteSums }
  | { readonly head: number; readonly fault: Pick<AttnswapError, 'code' | 'message' | 'hint'> };

/**
 * The same report as {@link measureWaste}'s, to the bit: of much work, each head is measured in one of `threads` threads, as many as compute
 * at once, which share a copy of the inputs. What only this thread has (relevant keys, a variant of the caller's own) is measured here.
 * @throws what {@link measureWaste} throws, once the heads that were begun before are measured
 * @throws Error where a thread does not work
 */
export async function measureWasteInThreads(request: WasteRequest, threads = threadCount()): Promise<WasteReport> {
  refuseWaste(request);
  const { heads } = request.inputs.shape;
  const useful = Math.min(heads, threads);
  if (useful === 1 || !canBeShared(request) || pairsOf(request) < fewestPairs) return measureWaste(request);
  const workers = startThreads(request, useful);
  try {
    const answers = (await Promise.all(workers.map(answersOf))).flat().toSorted((a, b) => a.head - b.head);
    const sums = answers.map((answer) => {
      if ('sums' in answer) return answer.sums;
      const { code, message, hint } = answer.fault;
      throw new AttnswapError(code, message, { hint });
    });
    if (sums.length !== heads) throw new Error(`waste: threads measured ${sums.length} of ${heads} heads`);
    return reportWaste(request, sums);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/**
 * In a thread: measures one head after another until all are taken. Where one cannot be measured, no thread takes another; as heads are taken in
 * order, the first of the faults is then the one that {@link measureWaste} would meet.
 */
export function measureHeads(
  { nextHead, variant, dense, ...request }: ThreadRequest,
  answer: (answer: HeadAnswer, transferred?: ArrayBuffer[]) => void,
): void {
  const { heads } = request.inputs.shape;
  const meter = new HeadMeter({ ...request, variant: findVariant(variant), dense: findVariant(dense) });
  for (let head = Atomics.add(nextHead, 0, 1); head < heads; head = Atomics.add(nextHead, 0, 1)) {
    try {
      const sums = meter.measure(head);
      answer({ head, sums }, [sums.sums.buffer as ArrayBuffer, sums.replicates.buffer as ArrayBuffer]);
    } catch (error) {
      Atomics.store(nextHead, 0, heads);
      if (!(error instanceof AttnswapError)) throw error;
      const { code, message, hint } = error;
      answer({ head, fault: { code, message, hint } });
    }
  }
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
  // The caller's own flags may not suit a file, as --input-type does not.
  const thread = ownModule('./thread', import.meta.url);
  return Array.from({ length: threads }, () => new Worker(thread, { workerData, execArgv: [] }));
}

/** All that a thread says before it ends. */
function answersOf(thread: Worker): Promise<HeadAnswer[]> {
  const { promise, resolve, reject } = Promise.withResolvers<HeadAnswer[]>();
  const answers: HeadAnswer[] = [];
  thread.on('message', (answer: HeadAnswer) => answers.push(answer));
  thread.on('error', reject);
  thread.on('exit', (code) => (code === 0 ? resolve(answers) : reject(new Error(`waste: a thread ended with exit code ${code}`))));
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
