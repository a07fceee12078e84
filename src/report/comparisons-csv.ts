import type { Comparison } from '../contract/verdict.ts';
import { csv } from './csv.ts';

/** One row a comparison. Columns are only ever added at the end. Shares as fractions; figures in the unit of their row. */
export function comparisonsCsv(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ effect, blocks, ...comparison }) => ({
    id: comparison.id,
    name: comparison.name,
    metric: comparison.metric,
    unit: comparison.unit,
    base: comparison.base,
    new: comparison.new,
    change: effect?.estimate,
    low: effect?.low,
    high: effect?.high,
    confidence: effect?.confidence,
    margin: comparison.margin,
    floor: comparison.floor,
    direction: comparison.direction,
    outcome: comparison.outcome,
    decides: String(comparison.decides),
    blocks: blocks.length,
    minimumDetectableEffect: comparison.minimumDetectableEffect,
    reason: comparison.reason,
  }));
  return csv(rows);
}
