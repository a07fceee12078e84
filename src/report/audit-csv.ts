import type { AuditRecord } from '../contract/audit.ts';
import { csv } from './csv.ts';

/** One row per setting and round. Columns are only ever added at the end. */
export function auditCsv({ name, backend, points, verdict }: AuditRecord): string {
  const rows = points.flatMap(({ length, knob, neededWork, fullWork, rounds }) =>
    rounds.map(({ latencyNs, cpuNs, peakBytes }, round) => ({
      name,
      backend,
      length,
      knob,
      round: round + 1,
      latencyNs,
      cpuNs,
      peakBytes,
      neededWork,
      fullWork,
      verdict,
    })),
  );
  return csv(rows);
}
