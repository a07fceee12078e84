import type { CellRecord } from '../contract/cell.ts';
import type { Metric } from '../contract/verdict.ts';
import { wasteReportSchema } from '../waste/schema.ts';
import { growthPerDoubling, peakBytes } from './compare-memory.ts';

/** A metric as one launch of a cell gave it, if it did. */
export function figureOf(metric: Metric, cell: CellRecord | undefined, reference: CellRecord | undefined): number | null | undefined {
  switch (metric) {
    case 'latency':
      return cell?.latency?.medianNs;
    case 'peak-memory':
      return peakOf(cell);
    case 'error':
      return cell?.error?.relative;
    case 'scored-pairs':
      return cell?.work?.scoredPairs;
    case 'waste':
      return wastedShare(cell?.waste);
    case 'ratio-to-reference':
      return cell?.latency && reference?.latency && cell.latency.medianNs / reference.latency.medianNs;
    default:
      return undefined;
  }
}

/** How the peak of one run's cells grows with their length; undefined where one has none, or all are of one length. */
export function growthOf(cells: ReadonlyArray<CellRecord | undefined>): number | undefined {
  const peaks = cells.flatMap((cell) => peakOf(cell) ?? []);
  const lengths = cells.flatMap((cell) => cell?.shape.keys ?? []);
  return peaks.length < cells.length || new Set(lengths).size < 2 ? undefined : growthPerDoubling(lengths, peaks);
}

/** What a growth is told of: the first cell, and the last one's length. */
export function growthId(cells: ReadonlyArray<{ readonly id: string; readonly shape: { readonly keys: number } }>): string {
  const [first, last] = [cells[0]!, cells.at(-1)!];
  return first === last ? first.id : `${first.id} … ${last.shape.keys}`;
}

function peakOf(cell: CellRecord | undefined): number | undefined {
  return cell?.memory && peakBytes(cell.memory);
}

/** The share of scored products that the smallest sets of keys holding 95 % of the weight do without, of a waste report. */
export function wastedShare(waste: unknown): number | undefined {
  const report = wasteReportSchema.safeParse(waste);
  return report.success ? report.data.overall.kernelWaste.p95?.value : undefined;
}
