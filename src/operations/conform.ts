import type { Adapter, AdapterEntry } from '../contract/adapter.ts';
import { checkKernel } from '../conformance/check-kernel.ts';
import type { Conformance } from '../conformance/check-kernel.ts';
import { supportOf } from '../conformance/support.ts';
import type { Support } from '../conformance/support.ts';
import { findAdapter } from '../loading/adapter.ts';
import { checkProtocol } from '../protocol/check-protocol.ts';
import type { ProtocolFinding } from '../protocol/check-protocol.ts';
import { parseWorker, workerEntry } from '../protocol/worker-entry.ts';
import type { CaseSet } from '../variants/case-sets.ts';
import { casesOf } from '../variants/cases.ts';
import { adaptersOf } from './options.ts';
import type { OperationOptions } from './options.ts';

export interface ConformOptions extends Pick<OperationOptions, 'adapters' | 'onProgress'> {
  /** Commands of workers, such as `python3 my_worker.py`, started in the current folder; if given, only they are checked. */
  readonly workers?: readonly string[] | undefined;
  /** Checks only this backend. @default all that run here */
  readonly backend?: string | undefined;
  /** Set of conformance cases. @default 'everyday' */
  readonly cases?: CaseSet | undefined;
}

export interface WorkerFindings {
  readonly worker: string;
  readonly findings: readonly ProtocolFinding[];
}

/** A kernel on a backend, and of those that run here on how many cases it agrees with the reference. */
export type KernelResult = Support & Partial<Conformance>;

export interface ConformRecord {
  readonly protocol: readonly WorkerFindings[];
  readonly kernels: readonly KernelResult[];
  /** Whether every worker follows the protocol and no kernel is wrong. */
  readonly conforms: boolean;
}

/**
 * Whether workers keep to the protocol, and whether every kernel agrees with the float64 reference.
 * @throws USAGE, UNKNOWN_BACKEND, WORKER_FAILED, WORKER_PROTOCOL
 */
export async function conform(options: ConformOptions = {}): Promise<ConformRecord> {
  const protocol: WorkerFindings[] = [];
  for (const worker of options.workers ?? []) protocol.push({ worker, findings: await checkProtocol(parseWorker(worker, process.cwd())) });
  const wrong = protocol.flatMap(({ findings }) => findings).some(({ reason }) => reason !== undefined);
  const greeted = protocol.every(({ findings }) => findings[0]!.reason === undefined);
  const kernels = greeted ? await checkKernels(await entriesOf(options), options) : [];
  return { protocol, kernels, conforms: !wrong && kernels.every(({ failed = [] }) => failed.length === 0) };
}

/** Only the adapter that is meant: asking the others of their backends can take seconds, and be loud. */
async function entriesOf(options: ConformOptions): Promise<readonly AdapterEntry[]> {
  const { workers, backend } = options;
  const known =
    workers === undefined ? adaptersOf(options) : await Promise.all(workers.map((command) => workerEntry(command, process.cwd())));
  return backend === undefined ? known : [findAdapter(known, backend)];
}

async function checkKernels(entries: readonly AdapterEntry[], options: ConformOptions): Promise<KernelResult[]> {
  const support = (await supportOf(entries)).filter(({ backend }) => options.backend === undefined || backend === options.backend);
  const all = support.flatMap(({ kernels }) => kernels);
  const results: KernelResult[] = [];
  for (const [done, kernel] of all.entries()) {
    options.onProgress?.({ what: `${kernel.backend} ${kernel.variant}.${kernel.kernel}`, done, total: all.length });
    const adapter = await entries.find(({ backends }) => backends.includes(kernel.backend))!.load();
    const runs = kernel.state === 'runs';
    results.push(runs ? { ...kernel, ...(await checked(adapter, kernel, options.cases ?? 'everyday')) } : kernel);
  }
  return results;
}

/** In one process where the adapter starts some: what is judged is not measured. */
async function checked(adapter: Adapter, kernel: Support, cases: CaseSet): Promise<Conformance> {
  const shared = adapter.inOneProcess?.();
  try {
    return await checkKernel(shared ?? adapter, kernel, casesOf(cases));
  } finally {
    await shared?.close();
  }
}
