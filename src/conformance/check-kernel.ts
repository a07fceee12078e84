import type { Adapter } from '../contract/adapter.ts';
import { createCaseInputs } from '../variants/case-inputs.ts';
import type { ConformanceCase } from '../variants/cases.ts';
import { findVariant } from '../variants/index.ts';
import { judgeOutput } from '../variants/judge.ts';

/** One kernel on one backend. */
export interface KernelAt {
  readonly backend: string;
  readonly variant: string;
  readonly kernel: string;
}

/** What became of a kernel on the conformance cases. */
export interface Conformance {
  /** Cases whose output was judged. */
  readonly checked: number;
  /** Cases that the kernel refuses, each with its reason. */
  readonly unsupported: readonly CaseFinding[];
  /** Cases whose output is wrong, or that failed; the first {@link mostFailures} at most. */
  readonly failed: readonly CaseFinding[];
}

export interface CaseFinding {
  readonly name: string;
  readonly reason: string;
}

const mostFailures = 5;

/** Runs a kernel on the cases of its variant that are for it, each judged against the float64 reference. Stops at the fifth failure. */
export async function checkKernel(
  adapter: Adapter,
  at: KernelAt & { readonly threads?: number },
  cases: readonly ConformanceCase[],
): Promise<Conformance> {
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
  { backend, kernel, threads }: KernelAt & { readonly threads?: number },
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
  try {
    await prepared.run();
    const rows = shape.heads * shape.queries > 2000 ? { count: 300, seed } : 'all';
    const { ok, reason } = judgeOutput(await prepared.output(), inputs, findVariant(name), parameters, { rows, exactLogits });
    return ok ? { state: 'agrees' } : { state: 'failed', reason: reason ?? 'output differs from the reference' };
  } finally {
    await prepared.dispose();
  }
}
