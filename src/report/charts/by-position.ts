import type { ChartSpec } from '../document.ts';
import { encodeSeries } from './encode-series.ts';
import type { Series } from './encode-series.ts';
import { frame } from './frame.ts';

export interface PositionPoint {
  readonly series: string;
  /** Of a generated token, from 1. */
  readonly position: number;
  readonly value: number;
}

/** A figure of each generated token, in order. */
export function byPositionChart({
  title,
  axis,
  series,
  points,
}: {
  title: string;
  axis: string;
  series: readonly Series[];
  points: readonly PositionPoint[];
}): ChartSpec {
  const x = {
    field: 'position',
    type: 'quantitative',
    title: 'generated token',
    scale: { nice: false },
    axis: { format: 'd', tickMinStep: 1 },
  } as const;
  const y = { field: 'value', type: 'quantitative', title: axis, scale: { zero: true }, axis: { format: '~g' } } as const;
  const { color, strokeDash } = encodeSeries(series);
  return {
    ...frame(title),
    height: 260,
    data: { values: [...points] },
    mark: { type: 'line', strokeWidth: 1.8, aria: false },
    encoding: { x, y, color, strokeDash },
  };
}
