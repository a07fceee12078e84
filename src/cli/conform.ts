import type { Adapter, AdapterEntry } from '../contract/adapter.ts';
import { checkKernel } from '../conformance/check-kernel.ts';
import type { Conformance } from '../conformance/check-kernel.ts';
import { supportOf } from '../conformance/support.ts';
import type { Support } from '../conformance/support.ts';
import { findAdapter } from '../measure/plan-cells.ts';
import { checkProtocol } from '../protocol/check-protocol.ts';
import type { ProtocolFinding } from '../protocol/check-protocol.ts';
import { parseWorker } from '../protocol/worker-entry.ts';
import { casesOf } from '../variants/cases.ts';
import type { CaseSet } from '../variants/cases.ts';
import { withWorkers } from './backend-options.ts';
import type { BackendFlags } from './backend-options.ts';
import { exitCodes, print, printJson, progress } from './console.ts';
import type { CommonFlags, ExitCode } from './console.ts';
import { printable } from './format.ts';

export interface ConformFlags extends CommonFlags, BackendFlags {
  readonly backend?: string;
  readonly cases: CaseSet;
}

interface WorkerFindings {
  readonly worker: string;
  readonly findings: readonly ProtocolFinding[];
}

type KernelResult = Support & Partial<Conformance>;

/** Whether workers keep to the protocol, and whether every kernel agrees with the float64 reference. Exit 5 where one does not. */
export async function conform(flags: ConformFlags, builtIn: readonly AdapterEntry[]): Promise<ExitCode> {
  const protocol: WorkerFindings[] = [];
  for (const worker of flags.worker ?? []) protocol.push({ worker, findings: await checkProtocol(parseWorker(worker, process.cwd())) });
  const wrong = protocol.flatMap(({ findings }) => findings).some(({ reason }) => reason !== undefined);
  const greeted = protocol.every(({ findings }) => findings[0]!.reason === undefined);
  const kernels = greeted ? await checkKernels(flags, builtIn) : [];
  if (flags.json === true) printJson({ protocol, kernels });
  else print([...protocol.flatMap(findingLines), ...kernels.flatMap(kernelLines)].join('\n'));
  return wrong || kernels.some(({ failed = [] }) => failed.length > 0) ? exitCodes.error : exitCodes.pass;
}

/** Of the workers alone where there are some; of one backend where it is named. */
async function checkKernels(flags: ConformFlags, builtIn: readonly AdapterEntry[]): Promise<KernelResult[]> {
  const known = await withWorkers(flags, flags.worker === undefined ? builtIn : []);
  // Only the adapter that is meant: asking the others of their backends can take seconds, and be loud.
  const entries = flags.backend === undefined ? known : [findAdapter(known, flags.backend)];
  const support = (await supportOf(entries)).filter(({ backend }) => flags.backend === undefined || backend === flags.backend);
  const all = support.flatMap(({ kernels }) => kernels);
  const bar = progress(all.length, flags);
  const results: KernelResult[] = [];
  for (const [done, kernel] of all.entries()) {
    bar.update(done, `${kernel.backend} ${kernel.variant}.${kernel.kernel}`);
    const adapter = await entries.find(({ backends }) => backends.includes(kernel.backend))!.load();
    results.push(kernel.state === 'runs' ? { ...kernel, ...(await checked(adapter, kernel, flags.cases)) } : kernel);
  }
  bar.stop();
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

function findingLines({ worker, findings }: WorkerFindings): string[] {
  const line = ({ what, reason }: ProtocolFinding) => (reason === undefined ? `✓ ${what}` : `✗ ${what}: ${printable(reason)}`);
  return [worker, ...findings.map(line)];
}

function kernelLines({ backend, variant, kernel, reason, mend, checked, failed = [], unsupported = [] }: KernelResult): string[] {
  const name = `${backend} ${variant}.${kernel}`;
  if (checked === undefined) return [`– ${name}: ${printable(reason ?? '')}`, ...(mend === undefined ? [] : [`    mend: ${mend}`])];
  const refused =
    unsupported.length === 0
      ? ''
      : `; ${unsupported.length} unsupported, such as ${unsupported[0]!.name}: ${printable(unsupported[0]!.reason)}`;
  if (failed.length === 0) return [`${checked === 0 ? '–' : '✓'} ${name}: ${checked} cases agree with float64${refused}`];
  return [
    `✗ ${name}: wrong in ${failed.length} of ${checked} cases${refused}`,
    ...failed.map((each) => `    ${each.name}: ${printable(each.reason)}`),
  ];
}
