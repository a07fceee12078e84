import type { AuditPoint } from '../../contract/audit.ts';
import { median } from '../../statistics/order-statistics.ts';

/** Medians over the rounds of one setting; null where the system does not tell. */
export interface TypicalCall {
  readonly latencyNs: number;
  readonly cpuNs: number | null;
  readonly peakBytes: number | null;
}

export function typicalCall({ rounds }: AuditPoint): TypicalCall {
  const typical = (values: readonly number[]) => (values.length === 0 ? null : median(values));
  return {
    latencyNs: median(rounds.map(({ latencyNs }) => latencyNs)),
    cpuNs: typical(rounds.flatMap(({ cpuNs }) => cpuNs ?? [])),
    peakBytes: typical(rounds.flatMap(({ peakBytes }) => peakBytes ?? [])),
  };
}
