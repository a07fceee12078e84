import type { CountedEnergy } from '../contract/cell.ts';
import type { RunRecord } from '../contract/run.ts';
import { nameOf, settingOf, speedUp, wasteOf } from './cell-facts.ts';
import { csv } from './csv.ts';

/** One row a cell. Columns are only ever added at the end. Times in nanoseconds, sizes in bytes. */
export function runCsv(run: RunRecord): string {
  const groups = Map.groupBy(run.cells, (cell) => settingOf(cell, { length: true }));
  const rows = run.cells.map((cell) => {
    const group = groups.get(settingOf(cell, { length: true }))!;
    const { waste, missed } = wasteOf(cell);
    return {
      variant: nameOf(cell),
      backend: cell.backend,
      batch: cell.shape.batch,
      heads: cell.shape.heads,
      kvHeads: cell.shape.kvHeads,
      queries: cell.shape.queries,
      keys: cell.shape.keys,
      headDim: cell.shape.headDim,
      causal: String(cell.shape.causal),
      dtype: cell.shape.dtype,
      inputs: cell.inputs,
      seed: cell.seed,
      status: cell.status,
      reason: cell.reason,
      medianNs: cell.latency?.medianNs,
      lowNs: cell.latency?.ciNs.low,
      highNs: cell.latency?.ciNs.high,
      p99Ns: cell.latency?.p99Ns,
      minNs: cell.latency?.minNs,
      samples: cell.latency?.samplesNs.length,
      steady: cell.latency?.warmup.steady?.toString(),
      speedUp: speedUp(cell, group, run.suite.reference),
      peakHostBytes: cell.memory?.peakHostBytes,
      scoredPairs: cell.work?.scoredPairs,
      weightedPairs: cell.work?.weightedPairs,
      densePairs: cell.work?.densePairs,
      flops: cell.work?.flops,
      bytes: cell.work?.bytes,
      kernelWaste95: waste,
      missedMass: missed,
      relativeError: cell.error?.relative,
      errorBudget: cell.error?.budget,
      flags: cell.dispatch?.flags.join('; '),
      pass: cell.pass ?? 'forward',
      peakDeviceBytes: cell.memory?.peakDeviceBytes,
      deviceMethod: cell.memory?.deviceMethod,
      gradientError: cell.error?.gradients?.relative,
      joulesGross: counted(cell.energy)?.grossJoules.mean,
      joulesAboveIdle: counted(cell.energy)?.aboveIdleJoules.mean,
      joulesAboveIdleLow: counted(cell.energy)?.aboveIdleJoules.low,
      joulesAboveIdleHigh: counted(cell.energy)?.aboveIdleJoules.high,
      deviceJoulesGross: counted(cell.energy?.device)?.grossJoules.mean,
      deviceJoulesAboveIdle: counted(cell.energy?.device)?.aboveIdleJoules.mean,
      deviceJoulesAboveIdleLow: counted(cell.energy?.device)?.aboveIdleJoules.low,
      deviceJoulesAboveIdleHigh: counted(cell.energy?.device)?.aboveIdleJoules.high,
    };
  });
  return csv(rows);
}

/** Figures, where there are some. */
function counted(energy: CountedEnergy | { readonly unavailable: string } | undefined): CountedEnergy | undefined {
  return energy === undefined || 'unavailable' in energy ? undefined : energy;
}
