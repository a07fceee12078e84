import type { ComparedCell, ComparedRow, RunComparison } from './compare-runs.ts';
import { csv } from './csv.ts';

/**
 * One row a cell and column. Columns are only ever added at the end. Times in nanoseconds, sizes in bytes, ratios over
 * the column's base. `status` is `absent` where a column has no such cell.
 */
export function comparedRunsCsv({ records, columns, rows }: RunComparison): string {
  const lines = rows.flatMap((row) =>
    columns.map((column, index) => ({
      column: column.name,
      source: records[column.record]!.source,
      backend: column.backend,
      ...specOf(row),
      ...figuresOf(row.cells[index]!, row.cells[column.base]!),
      base: columns[column.base]!.name,
    })),
  );
  return csv(lines);
}

function specOf({ kernel, spec: { shape, inputs, seed } }: ComparedRow) {
  const { batch, heads, kvHeads, queries, keys, headDim, causal, dtype } = shape;
  return { kernel, batch, heads, kvHeads, queries, keys, headDim, causal: String(causal), dtype, inputs, seed };
}

function figuresOf(cell: ComparedCell, base: ComparedCell) {
  return {
    status: cell.status,
    reason: cell.reason,
    medianNs: cell.medianNs,
    lowNs: cell.lowNs,
    highNs: cell.highNs,
    steady: cell.steady?.toString(),
    baseMedianNs: base.medianNs,
    ratio: cell.ratio?.value,
    ratioLow: cell.ratio?.interval?.low,
    ratioHigh: cell.ratio?.interval?.high,
    peakBytes: cell.peakBytes,
    basePeakBytes: base.peakBytes,
    peakRatio: cell.peakRatio,
    kernelWaste95: cell.waste,
    relativeError: cell.error,
  };
}
