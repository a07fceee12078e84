import type { Dispatch, PreparedKernel } from '../contract/adapter.ts';
import type { AttentionInputs } from '../contract/inputs.ts';
import type { Ceiling } from '../contract/run.ts';
import { loadAdapter } from '../loading/adapter.ts';
import { workersOf } from '../processes/forked.ts';
import { findVariant } from '../variants/index.ts';
import type { WasteReport } from '../waste/schema.ts';
import { quotaLoad, throttling } from './block-load.ts';
import { describeFault } from './fault.ts';
import type { CeilingsRequest, CellStageRequest, ModelStageRequest, StageAnswer, StageRequest } from './messages.ts';
import type { PreparedModel } from './prepare-model.ts';
import { openMemoryRegion } from './peak-memory.ts';
import { cellInputs, expectKernel, judgeKernel, madeFor, prepareCell } from './prepare-cell.ts';
import type { PreparedCell } from './prepare-cell.ts';
import { sampleLatency } from './sampling.ts';

type Runnable = Pick<PreparedKernel, 'run' | 'dispose'> &
  Partial<Pick<PreparedKernel, 'timeCalls' | 'pid' | 'peakDeviceBytes' | 'compiledAhead'>>;

/** Rows of the output that are judged before a cell is timed. */
const judgedRows = 256;
/** The cap of a warm-up: 2.5 times the suite's sampling time, and no less than 1.5 s. */
const warmUpCapNs = (budgetNs: number) => Math.max(1.5e9, 2.5 * budgetNs);
/** The same of code that was compiled ahead: caches, memory and clocks are all that is left, and whether they have settled the samples show. */
const shortWarmUpNs = (budgetNs: number) => Math.min(0.3e9, budgetNs / 2);

/** Runs one stage of one cell, or of a model, in this process; awaits `ready` before it calls the kernel of a cell. */
export async function runStage(request: StageRequest, ready: () => Promise<void>): Promise<StageAnswer> {
  if ('model' in request) return modelStage(request);
  if (request.stage === 'ceilings') return ceilingsStage(request);
  if (request.stage === 'waste') return { outcome: 'waste', waste: await wasteOf(request, (await cellInputs(request)).inputs) };
  const prepared = await prepareCell(request, request.stage === 'memory' ? 'memory' : 'latency', request.stage === 'latency');
  if (request.stage === 'latency') return latencyStage(request, prepared, ready);
  if (request.stage === 'energy') return energyStage(prepared);
  await ready();
  await prepared.kernel.run();
  return memoryStage(prepared.kernel);
}

async function latencyStage(stage: CellStageRequest, prepared: PreparedCell, ready: () => Promise<void>): Promise<StageAnswer> {
  const { kernel, request } = prepared;
  const warnings = [...prepared.warnings];
  const waste = await wasteOrReason(stage, request.inputs);
  const expected = await expectKernel(prepared, judgedRows);
  await ready();
  const judged = await judgeKernel(prepared, expected);
  if (judged.reason !== undefined) return { outcome: 'mismatch', reason: judged.reason, error: judged.error, warnings };
  const profile = await profileCalls(kernel);
  const before = quotaLoad();
  const latency = await sample(kernel, stage.sampleSeconds, profile?.callsNs);
  warnings.push(...throttling(before, quotaLoad()));
  const dispatch = profile?.dispatch ?? (await kernel.dispatch());
  const workers = workersOf(kernel.pid);
  await kernel.dispose();
  const measured = { outcome: 'latency', latency, error: judged.error, dispatch, ...workers } as const;
  if (typeof waste === 'string') return { ...measured, warnings: [...warnings, `waste was not measured: ${waste}`] };
  return { ...measured, waste, warnings };
}

async function energyStage({ kernel }: PreparedCell): Promise<StageAnswer> {
  const { measureEnergy } = await import('./energy/energy-blocks.ts');
  for (const start = process.hrtime.bigint(); process.hrtime.bigint() - start < 1e9;) await kernel.run();
  const energy = await measureEnergy(kernel);
  await kernel.dispose();
  return { outcome: 'energy', energy };
}

/**
 * What the third call runs, of a kernel whose calls are profiled, and what it and the one before took: the first was judged, and the second may
 * still arrange its memory.
 */
async function profileCalls(kernel: PreparedKernel): Promise<{ readonly dispatch: Dispatch; readonly callsNs: number[] } | undefined> {
  if (kernel.endProfile === undefined) return undefined;
  const callsNs: number[] = [];
  for (let call = 0; call < 2; call++) {
    const start = process.hrtime.bigint();
    await kernel.run();
    callsNs.push(Number(process.hrtime.bigint() - start));
  }
  return { dispatch: await kernel.endProfile(), callsNs };
}

/** @param callsNs what the calls just before took, one by one */
async function sample(subject: Runnable, seconds: number, callsNs: readonly number[] = []) {
  const budgetNs = seconds * 1e9;
  const timeCalls = subject.timeCalls?.bind(subject);
  const judgesSamples = subject.compiledAhead === true;
  const warmUp = judgesSamples ? { capNs: shortWarmUpNs(budgetNs) } : await warmUpOptions(subject, budgetNs);
  return sampleLatency(() => subject.run(), { budgetNs, warmUp, callsNs, judgesSamples, ...(timeCalls !== undefined && { timeCalls }) });
}

/** Windows of ten samples, or as many of a slow call (three at least) as the cap leaves room for. */
async function warmUpOptions(subject: Runnable, budgetNs: number): Promise<{ capNs: number; window: number }> {
  const capNs = warmUpCapNs(budgetNs);
  const start = process.hrtime.bigint();
  await subject.run();
  const callNs = Number(process.hrtime.bigint() - start);
  return { capNs, window: Math.max(3, Math.min(10, Math.floor(capNs / (4.5 * callNs)))) };
}

/** @param prepare opens the model for a purpose; in this process, or as its adapter does, where absent */
export async function modelStage(
  request: ModelStageRequest,
  prepare: (purpose: ModelStageRequest['stage']) => Promise<PreparedModel> = (purpose) => openHere(request, purpose),
): Promise<StageAnswer> {
  const model = await prepare(request.stage);
  if (request.stage === 'memory') return memoryStage(model);
  const latency = await sample(model, request.sampleSeconds);
  await model.dispose();
  return { outcome: 'model-latency', latency };
}

/** Cells need nothing of it. */
async function openHere(request: ModelStageRequest, purpose: ModelStageRequest['stage']): Promise<PreparedModel> {
  const { prepareModel } = await import('./prepare-model.ts');
  return prepareModel(request, purpose);
}

/** Peak memory of one call of what has run before: first calls load and compile. */
async function memoryStage(subject: Runnable): Promise<StageAnswer> {
  const region = await openMemoryRegion(subject.pid === undefined ? {} : { pid: subject.pid });
  await subject.run();
  const { peakHostBytes, residentBytes, method } = await region.close();
  const device = (await subject.peakDeviceBytes?.()) ?? null;
  await subject.dispose();
  return {
    outcome: 'memory',
    memory: { peakHostBytes, method, peakDeviceBytes: device?.bytes ?? null, deviceMethod: device?.method ?? null },
    residentBytes,
  };
}

/** The waste report, or why there is none. */
async function wasteOrReason(stage: CellStageRequest, inputs: AttentionInputs): Promise<WasteReport | string> {
  try {
    return await wasteOf(stage, inputs);
  } catch (error) {
    return describeFault(error).reason;
  }
}

async function wasteOf({ cell, wasteRows, kernelScoredPairs }: CellStageRequest, inputs: AttentionInputs): Promise<WasteReport> {
  const { headsOf, reportWaste } = await import('../waste/measure-waste.ts');
  const request = {
    inputs,
    inputsName: cell.inputs,
    variant: findVariant(cell.variant.name),
    parameters: cell.variant.params,
    dense: findVariant('dense'),
    rows: { count: wasteRows, seed: cell.seed },
    ...(kernelScoredPairs !== undefined && { kernelScoredPairs }),
  };
  return reportWaste(request, await madeFor(cell, { waste: wasteRows }, async () => headsOf(request)));
}

/** Nanoseconds that one probe is repeated for. */
const probeNs = 6e8;

/** The quickest call of each probe: a ceiling is what was reached once. */
async function ceilingsStage({ adapterModule, backend, threads }: CeilingsRequest): Promise<StageAnswer> {
  const adapter = await loadAdapter(adapterModule);
  const ceilings: Ceiling[] = [];
  for (const probe of (await adapter.ceilings?.({ backend, ...(threads !== undefined && { threads }) })) ?? []) {
    await probe.run();
    let leastNs = Infinity;
    for (const start = process.hrtime.bigint(); process.hrtime.bigint() - start < probeNs;) {
      const begun = process.hrtime.bigint();
      await probe.run();
      leastNs = Math.min(leastNs, Number(process.hrtime.bigint() - begun));
    }
    await probe.dispose();
    ceilings.push({ kind: probe.kind, perSecond: (1e9 * probe.amount) / leastNs, what: probe.what });
  }
  return { outcome: 'ceilings', ceilings };
}
