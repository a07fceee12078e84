import { median } from '../statistics/order-statistics.ts';
import type { Arm } from './arm.ts';
import { visitsOf } from './pair-block.ts';
import { pairProtocol } from './pair-messages.ts';
import type { PairFault } from './pair-messages.ts';
import { startResident } from './resident.ts';

/** What one call takes, by a process of its own. */
export interface CallCost {
  readonly latencyNs: number;
  /** Null where the system does not tell. */
  readonly cpuNs: number | null;
  readonly warnings: readonly string[];
}

export interface CallCostOptions {
  /** Rows of the output that are judged before anything is timed; none: 0. */
  readonly judgedRows: number;
  /** What the samples together should take, nanoseconds: between 3 and 150 of them. */
  readonly samplingNs: number;
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** Starts a worker, warms it up (for a tenth of a second where code is compiled as it runs), and samples. @throws the signal's reason once it is aborted */
export async function callCost(arm: Arm, { judgedRows, samplingNs, ...options }: CallCostOptions): Promise<CallCost | PairFault> {
  const resident = await startResident(arm, options);
  try {
    const prepared = await resident.ask({ ask: 'prepare', protocol: pairProtocol, request: arm.request, judgedRows }, 'prepared');
    if (prepared.answer === 'fault') return prepared;
    const warm = await resident.ask({ ask: 'warm', capNs: 0.1e9 }, 'warm');
    if (warm.answer === 'fault') return warm;
    const sampleNs = warm.callsPerSample * warm.callNs;
    const kept = Math.min(150, Math.max(3, Math.ceil(samplingNs / sampleNs)));
    const sampled = await resident.ask({ ask: 'sample', dropped: visitsOf(sampleNs).dropped, kept }, 'samples');
    if (sampled.answer === 'fault') return sampled;
    return { latencyNs: median(sampled.samplesNs), cpuNs: sampled.cpuNs ?? null, warnings: prepared.warnings };
  } finally {
    await resident.close();
  }
}
