import type { AdapterEntry, KernelDescription } from '../contract/adapter.ts';
import type { CellRecord, CellSpec, Energy } from '../contract/cell.ts';
import { readRequests } from '../contract/requests.ts';
import type { Suite } from '../contract/suite.ts';
import type { Work } from '../contract/variant.ts';
import { findVariant } from '../variants/index.ts';
import { launchStage } from './launch.ts';
import type { LaunchOutcome } from './launch.ts';
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

/**
 * Measures one cell in processes of its own: one for peak memory, and beside it another that prepares the kernel and measures waste, neither of
 * which is a matter of time or calls the kernel, and then checks and times it alone; at last, where it is wanted, energy. Failures are part of the
 * record.
 */
export async function measureCell({ cell, entry, kernel }: CellPlan, options: MeasureOptions): Promise<CellRecord> {
  const { suite } = options;
  const scoredPairs = kernel.scoredPairs(cell.variant.params, cell.shape, cell.backend);
  const launch = (stage: CellStageRequest['stage'], quiet?: Promise<unknown>): Promise<LaunchOutcome> =>
    launchStage(
      {
        stage,
        cell,
        adapterModule: entry.module,
        sampleSeconds: suite.sampleSeconds,
        wasteRows: suite.wasteRows,
        kernelScoredPairs: scoredPairs,
        threads: options.threads,
      },
      {
        timeoutSeconds: suite.timeoutSeconds + (stage === 'energy' ? energySeconds : 0),
        quiet,
        signal: options.signal,
      },
    );
  const peak = launch('memory');
  const [memory, timed] = await Promise.all([peak, launch('latency', peak)]);
  if (timed.outcome !== 'latency') return unmeasured(cell, timed);
  const { latency, error, dispatch, waste } = timed;
  const warnings = [...timed.warnings];
  if (latency.warmup.reason !== undefined) warnings.push(latency.warmup.reason);
  const measured = { ...cell, status: 'ok' as const, latency, error, work: workOf(cell, scoredPairs) };
  if (memory.outcome !== 'memory') return { ...measured, dispatch, ...unmeasured(cell, memory, 'peak memory: '), warnings };
  const energy = options.energy === true ? await launch('energy') : undefined;
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
