import type { Adapter, KernelRequest, PreparedKernel } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import { createInputs } from '../inputs/create-inputs.ts';
import { findVariant } from '../variants/index.ts';
import { judgeOutput } from '../variants/judge.ts';
import { measureWaste } from '../waste/measure-waste.ts';
import type { StageAnswer, StageRequest } from './messages.ts';
import { openMemoryRegion } from './peak-memory.ts';
import { sampleLatency } from './sampling.ts';

/** Rows of the output that are judged before a cell is timed. */
const judgedRows = 256;
/** The cap of a warm-up: 2.5 times the suite's sampling time, and no less than 1.5 s. */
const warmUpCapNs = (budgetNs: number) => Math.max(1.5e9, 2.5 * budgetNs);

/** Runs one stage of one cell in this process. */
export async function runStage(request: StageRequest): Promise<StageAnswer> {
  if (request.stage === 'waste') return wasteStage(request);
  const prepared = await prepareCell(request, request.stage);
  return request.stage === 'memory' ? memoryStage(prepared) : latencyStage(request, prepared);
}

interface PreparedCell {
  readonly kernel: PreparedKernel;
  readonly request: KernelRequest;
  readonly warnings: readonly string[];
}

async function cellInputs({ cell }: StageRequest) {
  const gateRank = cell.variant.params['rank'];
  return createInputs({
    kind: cell.inputs,
    shape: cell.shape,
    seed: cell.seed,
    wantsGate: cell.variant.name === 'gated',
    ...(typeof gateRank === 'number' && { gateRank }),
  });
}

async function prepareCell(stage: StageRequest, purpose: KernelRequest['purpose']): Promise<PreparedCell> {
  const { cell } = stage;
  const refusal = findVariant(cell.variant.name).refuses(cell.variant.params, cell.shape);
  if (refusal !== undefined) throw new AttnswapError('UNSUPPORTED', refusal);
  const { adapter } = (await import(stage.adapterModule)) as { adapter: Adapter };
  const { inputs, warnings } = await cellInputs(stage);
  const request: KernelRequest = {
    backend: cell.backend,
    variant: cell.variant.name,
    parameters: cell.variant.params,
    kernel: cell.kernel,
    inputs,
    purpose,
    ...(stage.threads !== undefined && { threads: stage.threads }),
  };
  const kernel = await adapter.prepare(request);
  if ('unsupported' in kernel) throw new AttnswapError('UNSUPPORTED', kernel.unsupported);
  return { kernel, request, warnings };
}

async function latencyStage(stage: StageRequest, prepared: PreparedCell): Promise<StageAnswer> {
  const { kernel, request, warnings } = prepared;
  await kernel.run();
  const judgement = judgeOutput(await kernel.output(), request.inputs, findVariant(request.variant), request.parameters, {
    rows: { count: judgedRows, seed: stage.cell.seed },
  });
  const { relative, budget, rowsChecked, ambiguousRows } = judgement;
  const error = { relative: Number.isFinite(relative) ? relative : Number.MAX_VALUE, budget, rowsChecked, ambiguousRows };
  if (!judgement.ok) return { outcome: 'mismatch', reason: judgement.reason ?? 'output differs from the reference', error, warnings };
  const budgetNs = stage.sampleSeconds * 1e9;
  const latency = await sampleLatency(() => kernel.run(), { budgetNs, warmUp: await warmUpOptions(kernel, budgetNs) });
  const dispatch = await kernel.dispatch();
  await kernel.dispose();
  return { outcome: 'latency', latency, error, dispatch, warnings };
}

/** Windows of ten samples, or as many of a slow call (three at least) as the cap leaves room for. */
async function warmUpOptions(kernel: PreparedKernel, budgetNs: number): Promise<{ capNs: number; window: number }> {
  const capNs = warmUpCapNs(budgetNs);
  const start = process.hrtime.bigint();
  await kernel.run();
  const callNs = Number(process.hrtime.bigint() - start);
  return { capNs, window: Math.max(3, Math.min(10, Math.floor(capNs / (4.5 * callNs)))) };
}

async function memoryStage({ kernel }: PreparedCell): Promise<StageAnswer> {
  await kernel.run();
  const region = await openMemoryRegion();
  await kernel.run();
  const { peakHostBytes, method } = await region.close();
  const device = await kernel.peakDeviceBytes();
  await kernel.dispose();
  return {
    outcome: 'memory',
    memory: { peakHostBytes, method, peakDeviceBytes: device?.bytes ?? null, deviceMethod: device?.method ?? null },
  };
}

async function wasteStage(stage: StageRequest): Promise<StageAnswer> {
  const { inputs } = await cellInputs(stage);
  const waste = measureWaste({
    inputs,
    inputsName: stage.cell.inputs,
    variant: findVariant(stage.cell.variant.name),
    parameters: stage.cell.variant.params,
    dense: findVariant('dense'),
    rows: { count: stage.wasteRows, seed: stage.cell.seed },
    ...(stage.kernelScoredPairs !== undefined && { kernelScoredPairs: stage.kernelScoredPairs }),
  });
  return { outcome: 'waste', waste };
}
