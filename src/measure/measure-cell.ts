import type { AdapterEntry, KernelDescription } from '../contract/adapter.ts';
import type { CellRecord, CellSpec, Energy } from '../contract/cell.ts';
import { readRequests } from '../contract/requests.ts';
import type { Suite } from '../contract/suite.ts';
import type { Work } from '../contract/variant.ts';
import { findVariant } from '../variants/index.ts';
import { launchStage } from './launch.ts';
import type { LaunchOptions, LaunchOutcome } from './launch.ts';
import type { CellStageRequest } from './messages.ts';

export interface CellPlan {
  readonly cell: CellSpec;
  readonly entry: AdapterEntry;
  readonly kernel: KernelDescription;
}

export interface MeasureOptions {
  readonly suite: Pick<Suite, 'sampleSeconds' | 'timeoutSeconds' | 'wasteRows'>;
  readonly threads?: number | undefined;
  /** Whether energy is measured too. */
  readonly energy?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Its blocks take as long whatever the call. */
const energySeconds = 60;

/** Measures one cell. Failures are part of the record. */
export async function measureCell(plan: CellPlan, options: MeasureOptions): Promise<CellRecord> {
  const { value } = await measureCells([plan], options).next();
  return value as CellRecord;
}

/**
 * Measures cells in processes of their own, each in one for peak memory and in another that prepares the kernel, measures waste and computes what
 * its output should be. None of that is a matter of time, so they run side by side; but no two kernels are called at once. Then each cell is
 * checked and timed alone, in its turn; at last, where it is wanted, energy. Whoever wants no more records ends what still runs.
 * @throws the signal's reason once it is aborted
 */
export async function* measureCells(plans: readonly CellPlan[], given: MeasureOptions): AsyncGenerator<CellRecord> {
  const unwanted = new AbortController();
  const options = { ...given, signal: AbortSignal.any([unwanted.signal, ...(given.signal === undefined ? [] : [given.signal])]) };
  const preparations = plans.map(() => Promise.withResolvers<void>());
  const peaks: Promise<LaunchOutcome>[] = [];
  const records: Promise<CellRecord>[] = [];
  for (const [place, plan] of plans.entries()) {
    const ready = preparations[place]!.resolve;
    const earlier = records.at(-1);
    const quiet = async () => {
      ready();
      await Promise.allSettled([...preparations.map(({ promise }) => promise), ...peaks, earlier]);
    };
    const earlierPeak = peaks.at(-1);
    const preparing = plans.length;
    const peak = launch(plan, 'memory', options, { preparing, quiet: () => Promise.allSettled([earlierPeak]) });
    const timed = launch(plan, 'latency', options, { preparing, quiet }).finally(ready);
    peaks.push(peak);
    records.push(recordOf(plan, options, { peak, timed }));
  }
  const all = Promise.allSettled(records);
  try {
    for (const record of records) yield await record;
  } finally {
    unwanted.abort();
    await all;
  }
}

function launch(
  { cell, entry, kernel }: CellPlan,
  stage: CellStageRequest['stage'],
  { suite, threads, signal }: MeasureOptions,
  turn: Pick<LaunchOptions, 'preparing' | 'quiet'> = {},
): Promise<LaunchOutcome> {
  const request: CellStageRequest = {
    stage,
    cell,
    adapterModule: entry.module,
    sampleSeconds: suite.sampleSeconds,
    wasteRows: suite.wasteRows,
    kernelScoredPairs: scoredPairsOf({ cell, kernel }),
    threads,
  };
  return launchStage(request, { timeoutSeconds: suite.timeoutSeconds + (stage === 'energy' ? energySeconds : 0), signal, ...turn });
}

function scoredPairsOf({ cell, kernel }: Pick<CellPlan, 'cell' | 'kernel'>): number {
  return kernel.scoredPairs(cell.variant.params, cell.shape, cell.backend);
}

interface Launched {
  readonly peak: Promise<LaunchOutcome>;
  readonly timed: Promise<LaunchOutcome>;
}

async function recordOf(plan: CellPlan, options: MeasureOptions, launched: Launched): Promise<CellRecord> {
  const { cell } = plan;
  const [memory, timed] = await Promise.all([launched.peak, launched.timed]);
  if (timed.outcome !== 'latency') return unmeasured(cell, timed);
  const { latency, error, dispatch, waste, workers } = timed;
  const warnings = [...timed.warnings];
  if (latency.warmup.reason !== undefined) warnings.push(latency.warmup.reason);
  const measured = { ...cell, status: 'ok' as const, latency, error, work: workOf(cell, scoredPairsOf(plan)), ...(workers && { workers }) };
  if (memory.outcome !== 'memory') return { ...measured, dispatch, ...unmeasured(cell, memory, 'peak memory: '), warnings };
  const energy = options.energy === true ? await launch(plan, 'energy', options) : undefined;
  return {
    ...measured,
    memory: memory.memory,
    ...(energy !== undefined && { energy: energyOf(energy) }),
    dispatch: { ...dispatch, flags: [...dispatch.flags, ...materialised(cell, memory.memory.peakHostBytes, measured.work.bytes)] },
    ...(waste !== undefined && { waste }),
    warnings,
  };
}

function energyOf(answer: LaunchOutcome): Energy {
  if (answer.outcome === 'energy') return answer.energy;
  return { unavailable: 'reason' in answer ? answer.reason : answer.outcome };
}

/** Every product of the forward pass has two of its size in the backward one; what is computed again there is not counted. */
const backwardWork = 2;

/** The good kernel's work with the products that this kernel really computes. */
function workOf(cell: CellSpec, scoredPairs: number) {
  const work = neededWork(cell);
  const flops = work.flops + 2 * cell.shape.headDim * (scoredPairs - work.scoredPairs);
  return cell.pass === undefined
    ? { ...work, scoredPairs, flops }
    : { ...work, scoredPairs, flops: (1 + backwardWork) * flops, bytes: 2 * work.bytes };
}

/** What a batch needs: of different requests, what each of them needs, without padding. */
function neededWork({ variant, shape, requests }: CellSpec): Work {
  const { cost } = findVariant(variant.name);
  const parts = readRequests(requests ?? '')?.map(({ count, queries, keys }) =>
    cost(variant.params, { ...shape, batch: count, queries, keys }),
  );
  return parts?.reduce((sum, part) => addWork(sum, part)) ?? cost(variant.params, shape);
}

function addWork(a: Work, b: Work): Work {
  const stateBytes = a.stateBytes === undefined ? undefined : a.stateBytes + (b.stateBytes ?? 0);
  return {
    scoredPairs: a.scoredPairs + b.scoredPairs,
    weightedPairs: a.weightedPairs + b.weightedPairs,
    densePairs: a.densePairs + b.densePairs,
    flops: a.flops + b.flops,
    bytes: a.bytes + b.bytes,
    ...(stateBytes !== undefined && { stateBytes }),
  };
}

/** A peak that holds the n² logits of every head says that they were written out, where they are far larger than the inputs. */
function materialised({ shape }: CellSpec, peakHostBytes: number, inputBytes: number): string[] {
  const logits = shape.batch * shape.heads * shape.queries * shape.keys * (shape.dtype === 'f32' ? 4 : 2);
  return logits >= 4 * inputBytes && peakHostBytes >= logits ? [`materialized the n² logits (${logits} bytes)`] : [];
}

function unmeasured(cell: CellSpec, outcome: LaunchOutcome, what = ''): CellRecord {
  const reason = what + ('reason' in outcome ? outcome.reason : `unexpected answer ${outcome.outcome}`);
  const warnings = 'warnings' in outcome ? [...outcome.warnings] : [];
  if (outcome.outcome === 'mismatch') return { ...cell, status: 'mismatch', reason, error: outcome.error, warnings };
  const status = outcome.outcome === 'unsupported' || outcome.outcome === 'timed-out' ? outcome.outcome : 'failed';
  return { ...cell, status, reason, warnings };
}
