import type { SimulatedHost } from '../host.ts';

/** Durations of one arm as a tool records them; equal arms are of mean near 1. */
export type Recorded = Float64Array;

/** Another tool's way to measure one arm, and its rule. The base is measured first, then the candidate, each in launches of its own. */
export interface Rival {
  readonly name: string;
  /** What it records and when it says «slower», in a sentence. */
  readonly rule: string;
  record(host: SimulatedHost): Recorded;
  slower(base: Recorded, candidate: Recorded): boolean;
}

/** Records `count` figures from one process, each the mean of `ticks` samples one after another, after `warmUpTicks`. */
export function recordMeans(host: SimulatedHost, plan: { count: number; ticks: number; warmUpTicks: number }): Recorded {
  const effect = host.launch();
  host.skip(plan.warmUpTicks);
  return Float64Array.from({ length: plan.count }, () => {
    let sum = 0;
    for (let tick = 0; tick < plan.ticks; tick += 1) sum += Math.exp(effect + host.sample());
    return sum / plan.ticks;
  });
}

export function momentsOf(values: Recorded): { mean: number; variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1) };
}

export function medianOf(values: Recorded): number {
  const sorted = values.toSorted();
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2;
}
