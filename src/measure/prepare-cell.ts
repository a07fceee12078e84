import type { z } from 'zod';
import type { KernelRequest, PreparedKernel } from '../contract/adapter.ts';
import type { CellSpec, errorSchema } from '../contract/cell.ts';
import { AttnswapError } from '../contract/errors.ts';
import { keptKeys, readRequests } from '../contract/requests.ts';
import { createInputs, isDrawn } from '../inputs/create-inputs.ts';
import type { CreatedInputs } from '../inputs/create-inputs.ts';
import { loadAdapter } from '../loading/adapter.ts';
import { madeOnce } from '../processes/kept.ts';
import { findVariant } from '../variants/index.ts';
import { judgeRows } from '../variants/judge-tally.ts';
import type { ExpectedOutput } from '../variants/judge-tally.ts';
import type { CellRequest } from './messages.ts';

/** A kernel with its inputs, in this process. */
export interface PreparedCell {
  readonly cell: CellSpec;
  readonly kernel: PreparedKernel;
  readonly request: KernelRequest;
  readonly warnings: readonly string[];
  /** q·k products of one call. */
  readonly scoredPairs: number;
}

/** The inputs that a cell declares, with a padding mask where it holds different requests. */
export async function cellInputs({ cell }: CellRequest): Promise<CreatedInputs> {
  const gateRank = cell.variant.params['rank'];
  const request = {
    kind: cell.inputs,
    shape: cell.shape,
    seed: cell.seed,
    wantsGate: findVariant(cell.variant.name).takesGate === true,
    ...(typeof gateRank === 'number' && { gateRank }),
  };
  const created = await createInputs(request);
  const mask = cell.requests === undefined ? undefined : keptKeys(readRequests(cell.requests)!);
  return mask === undefined ? created : { ...created, inputs: { ...created.inputs, mask } };
}

/** @throws UNSUPPORTED, and what creating inputs throws */
export async function prepareCell(given: CellRequest, purpose: KernelRequest['purpose'], profiled = false): Promise<PreparedCell> {
  const { cell } = given;
  const named = { variant: findVariant(cell.variant.name), parameters: cell.variant.params };
  const refusal = named.variant.refuses(cell.variant.params, cell.shape);
  if (refusal !== undefined) throw new AttnswapError('UNSUPPORTED', refusal);
  const adapter = await loadAdapter(given.adapterModule);
  const { inputs, warnings } = await cellInputs(given);
  const outputGradient = cell.pass && (await import('../variants/judge-gradients.ts')).drawOutputGradient(inputs, named, cell.seed);
  const request: KernelRequest = {
    backend: cell.backend,
    variant: cell.variant.name,
    parameters: cell.variant.params,
    kernel: cell.kernel,
    inputs,
    purpose,
    profiled,
    ...(outputGradient !== undefined && { outputGradient }),
    ...(given.threads !== undefined && { threads: given.threads }),
  };
  const kernel = await adapter.prepare(request);
  if ('unsupported' in kernel) throw new AttnswapError('UNSUPPORTED', kernel.unsupported);
  const described = adapter.kernels.find((other) => other.variant === cell.variant.name && other.kernel === cell.kernel);
  const scoredPairs = described?.scoredPairs(cell.variant.params, cell.shape, cell.backend) ?? Number.NaN;
  return { cell, kernel, request, warnings, scoredPairs };
}

export interface JudgedKernel {
  readonly error: z.infer<typeof errorSchema>;
  /** Why the output is wrong; absent where it is right. */
  readonly reason?: string;
}

/** What a worker makes for a cell, of whatever kernel; it is handed on where the inputs follow from the cell, and not from a file. */
export function madeFor<Value>(
  { inputs, seed, shape, requests, variant }: CellSpec,
  what: object,
  make: () => Promise<Value>,
): Promise<Value> {
  return isDrawn(inputs) ? madeOnce({ ...what, inputs, seed, shape, requests, variant }, make) : make();
}

/** What is expected of a sample of `count` rows of the kernel's output; nothing is called for it. */
export function expectKernel({ cell, request }: PreparedCell, count: number): Promise<ExpectedOutput> {
  return madeFor(cell, { expected: count }, async () => {
    const { expectOutput } = await import('../variants/judge.ts');
    return expectOutput(request.inputs, findVariant(request.variant), request.parameters, { rows: { count, seed: cell.seed } });
  });
}

/** One call, and the distance of its output and gradients from the float64 reference: before anything is timed. */
export async function judgeKernel({ cell: { seed }, kernel, request }: PreparedCell, expected: ExpectedOutput): Promise<JudgedKernel> {
  await kernel.run();
  const judgement = judgeRows(await kernel.output(), request.inputs.shape, expected);
  const { relative, budget, rowsChecked, ambiguousRows } = judgement;
  const error = { relative: finite(relative), budget, rowsChecked, ambiguousRows };
  if (!judgement.ok) return { error, reason: judgement.reason ?? 'output differs from the reference' };
  const { inputs, outputGradient, parameters } = request;
  const variant = findVariant(request.variant);
  if (outputGradient === undefined) return { error };
  const gradients = await kernel.gradients?.();
  if (gradients === undefined)
    throw new AttnswapError('WORKER_FAILED', `${request.backend}: the forward and backward call returned no gradients`);
  const { judgeGradients } = await import('../variants/judge-gradients.ts');
  const judged = judgeGradients({ inputs, outputGradient, gradients }, { variant, parameters }, { seed, outputBudget: budget });
  const withGradients = { ...error, gradients: { relative: finite(judged.relative), budget: judged.budget } };
  return judged.ok ? { error: withGradients } : { error: withGradients, reason: judged.reason ?? 'gradients differ from the reference' };
}

/** JSON has no infinity. */
function finite(relative: number): number {
  return Number.isFinite(relative) ? relative : Number.MAX_VALUE;
}
