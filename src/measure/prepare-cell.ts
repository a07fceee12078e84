import type { z } from 'zod';
import type { KernelRequest, PreparedKernel } from '../contract/adapter.ts';
import type { errorSchema } from '../contract/cell.ts';
import { AttnswapError } from '../contract/errors.ts';
import { keptKeys, readRequests } from '../contract/requests.ts';
import { createInputs, isDrawn } from '../inputs/create-inputs.ts';
import type { CreatedInputs } from '../inputs/create-inputs.ts';
import { loadAdapter } from '../loading/adapter.ts';
import { findVariant } from '../variants/index.ts';
import { judgeGradients, drawOutputGradient } from '../variants/judge-gradients.ts';
import { expectOutput } from '../variants/judge.ts';
import type { Judgement } from '../variants/judge.ts';
import { drawnOnce } from './kept-inputs.ts';
import type { CellRequest } from './messages.ts';

/** A kernel with its inputs, in this process. */
export interface PreparedCell {
  readonly kernel: PreparedKernel;
  readonly request: KernelRequest;
  readonly warnings: readonly string[];
  /** q·k products of one call. */
  readonly scoredPairs: number;
  /** Of the rows that are judged. */
  readonly seed: number;
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
  const created = await (isDrawn(cell.inputs) ? drawnOnce(request, () => createInputs(request)) : createInputs(request));
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
  const request: KernelRequest = {
    backend: cell.backend,
    variant: cell.variant.name,
    parameters: cell.variant.params,
    kernel: cell.kernel,
    inputs,
    purpose,
    profiled,
    ...(cell.pass !== undefined && { outputGradient: drawOutputGradient(inputs, named, cell.seed) }),
    ...(given.threads !== undefined && { threads: given.threads }),
  };
  const kernel = await adapter.prepare(request);
  if ('unsupported' in kernel) throw new AttnswapError('UNSUPPORTED', kernel.unsupported);
  const described = adapter.kernels.find((other) => other.variant === cell.variant.name && other.kernel === cell.kernel);
  const scoredPairs = described?.scoredPairs(cell.variant.params, cell.shape, cell.backend) ?? Number.NaN;
  return { kernel, request, warnings, scoredPairs, seed: cell.seed };
}

export interface JudgedKernel {
  readonly error: z.infer<typeof errorSchema>;
  /** Why the output is wrong; absent where it is right. */
  readonly reason?: string;
}

/** What is expected of a sample of `count` rows of the kernel's output; nothing is called for it. */
export function expectKernel({ request, seed }: PreparedCell, count: number): (output: Float32Array) => Judgement {
  return expectOutput(request.inputs, findVariant(request.variant), request.parameters, { rows: { count, seed } });
}

/** One call, and the distance of its output and gradients from the float64 reference: before anything is timed. */
export async function judgeKernel(
  { kernel, request, seed }: PreparedCell,
  judge: (output: Float32Array) => Judgement,
): Promise<JudgedKernel> {
  await kernel.run();
  const judgement = judge(await kernel.output());
  const { relative, budget, rowsChecked, ambiguousRows } = judgement;
  const error = { relative: finite(relative), budget, rowsChecked, ambiguousRows };
  if (!judgement.ok) return { error, reason: judgement.reason ?? 'output differs from the reference' };
  const { inputs, outputGradient, parameters } = request;
  const variant = findVariant(request.variant);
  if (outputGradient === undefined) return { error };
  const gradients = await kernel.gradients?.();
  if (gradients === undefined)
    throw new AttnswapError('WORKER_FAILED', `${request.backend}: the forward and backward call returned no gradients`);
  const judged = judgeGradients({ inputs, outputGradient, gradients }, { variant, parameters }, { seed, outputBudget: budget });
  const withGradients = { ...error, gradients: { relative: finite(judged.relative), budget: judged.budget } };
  return judged.ok ? { error: withGradients } : { error: withGradients, reason: judged.reason ?? 'gradients differ from the reference' };
}

/** JSON has no infinity. */
function finite(relative: number): number {
  return Number.isFinite(relative) ? relative : Number.MAX_VALUE;
}
