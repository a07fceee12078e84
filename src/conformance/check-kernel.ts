import type { Adapter } from '../contract/adapter.ts';
import { createCaseInputs } from '../variants/case-inputs.ts';
import type { ConformanceCase } from '../variants/case-of.ts';
import { findVariant } from '../variants/index.ts';
import { judgeOutput } from '../variants/judge.ts';

/** One kernel on one backend. */
export interface KernelAt {
  readonly backend: string;
  readonly variant: string;
  readonly kernel: string;
}

export interface CheckOptions {
  readonly threads?: number | undefined;
  /** Calls of a small case. @default 4 */
  readonly calls?: number;
}

/** What became of a kernel on the conformance cases. */
export interface Conformance {
  /** Cases whose output was judged. */
  readonly checked: number;
  /** Cases that the kernel refuses, each with its reason. */
  readonly unsupported: readonly CaseFinding[];
  /** Cases whose output is wrong in one of the calls, or that failed; the first {@link mostFailures} at most. */
  readonly failed: readonly CaseFinding[];
}

export interface CaseFinding {
  readonly name: string;
  readonly reason: string;
}

const mostFailures = 5;
/** What reads memory that was never written, or that threads race for, gives other numbers in a later call. */
const smallCalls = 4;
/** Query–key pairs of the largest case that is small: kernels take special paths for short lengths and narrow heads. */
const smallPairs = 6000;

/**
 * Runs a kernel on the cases of its variant that are for it, each judged against the float64 reference; small ones several times in one process.
 * Calls may differ in their last bits, as sums may be taken in any order, but every output must be within the error budget. Stops at the fifth failure.
 */
export async function checkKernel(adapter: Adapter, at: KernelAt & CheckOptions, cases: readonly ConformanceCase[]): Promise<Conformance> {
  let checked = 0;
  const unsupported: CaseFinding[] = [];
  const failed: CaseFinding[] = [];
  const kernel = adapter.kernels.find((each) => each.variant === at.variant && each.kernel === at.kernel);
  for (const given of cases) {
    if (given.bias !== undefined && kernel?.takesBias !== true) continue;
    if (given.softcap !== undefined && kernel?.takesSoftcap !== true) continue;
    if (given.sinks !== undefined && kernel?.takesSinks !== true) continue;
    if (given.variant !== at.variant || failed.length >= mostFailures) continue;
    if (findVariant(given.variant).refuses(given.parameters, given.shape) !== undefined) continue;
    const outcome = await checkCase(adapter, at, given).catch((error: unknown) => ({
      state: 'failed' as const,
      reason: (error as Error).message,
    }));
    if (outcome.state !== 'unsupported') checked++;
    if (outcome.state === 'unsupported') unsupported.push({ name: given.name, reason: outcome.reason });
    if (outcome.state === 'failed') failed.push({ name: given.name, reason: outcome.reason });
  }
  return { checked, unsupported, failed };
}

type CaseOutcome = { readonly state: 'agrees' } | { readonly state: 'unsupported' | 'failed'; readonly reason: string };

async function checkCase(
  adapter: Adapter,
  { backend, kernel, threads, calls = smallCalls }: KernelAt & CheckOptions,
  given: ConformanceCase,
): Promise<CaseOutcome> {
  const { variant: name, parameters, shape, exactLogits, seed } = given;
  const inputs = createCaseInputs(given);
  const prepared = await adapter.prepare({
    backend,
    variant: name,
    parameters,
    kernel,
    inputs,
    purpose: 'latency',
    ...(threads !== undefined && { threads }),
  });
  if ('unsupported' in prepared) return { state: 'unsupported', reason: prepared.unsupported };
  const rows = shape.heads * shape.queries > 2000 ? ({ count: 300, seed } as const) : 'all';
  const isSmall = shape.queries * shape.keys <= smallPairs;
  const seen: Float32Array[] = [];
  try {
    for (let call = 1; call <= (isSmall ? calls : 1); call++) {
      await prepared.run();
      const output = Float32Array.from(await prepared.output());
      if (seen.some((before) => sameBits(before, output))) continue;
      const { ok, reason = 'output differs from the reference' } = judgeOutput(output, inputs, findVariant(name), parameters, {
        rows,
        exactLogits,
      });
      if (!ok) return { state: 'failed', reason: call === 1 ? reason : `call ${call} differs from those before: ${reason}` };
      seen.push(output);
    }
    return { state: 'agrees' };
  } finally {
    await prepared.dispose();
  }
}

function sameBits(one: Float32Array, other: Float32Array): boolean {
  return Buffer.from(one.buffer, one.byteOffset, one.byteLength).equals(Buffer.from(other.buffer, other.byteOffset, other.byteLength));
}
