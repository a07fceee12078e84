import type { ChartSpec } from '../document.ts';
import { lightTheme } from '../theme.ts';
import { encodeSeries } from './encode-series.ts';
import type { Series } from './encode-series.ts';
import { frame } from './frame.ts';

export interface RatePoint {
  readonly series: string;
  /** Operations for each byte that must move at least. */
  readonly intensity: number;
  /** 1e9 operations a second. */
  readonly rate: number;
  readonly label: string;
}

export interface RooflineData {
  readonly title: string;
  readonly series: readonly Series[];
  readonly points: readonly RatePoint[];
  /** 1e9 operations a second, and 1e9 bytes a second; null where they were not measured. */
  readonly ceilings: { readonly rate: number; readonly bandwidth: number } | null;
}

/** Achieved rates under what the machine can do: memory's slope, then arithmetic's flat roof (Williams, Waterman and Patterson, 2009). */
export function rooflineChart({ title, series, points, ceilings }: RooflineData): ChartSpec {
  const x = {
    field: 'intensity',
    type: 'quantitative',
    title: 'operations per byte',
    scale: { type: 'log', nice: false, padding: 20 },
    axis: { format: '~s', tickCount: 6 },
  };
  const y = {
    field: 'rate',
    type: 'quantitative',
    title: 'GFLOP/s',
    scale: { type: 'log', nice: false, padding: 16 },
    axis: { format: '~s' },
  };
  const { color, shape } = encodeSeries(series);
  const roof = ceilings === null ? [] : roofOf(points, ceilings);
  return {
    ...frame(title),
    height: 260,
    layer: [
      { data: { values: roof }, mark: { type: 'line', color: lightTheme.ink, strokeWidth: 1.5, aria: false }, encoding: { x, y } },
      {
        data: { values: [...points] },
        mark: { type: 'point', filled: true, size: 70, opacity: 0.9 },
        encoding: { x, y, color, shape, description: { field: 'label' } },
      },
    ],
  };
}

function roofOf(points: readonly RatePoint[], { rate, bandwidth }: { rate: number; bandwidth: number }) {
  const ridge = rate / bandwidth;
  const intensities = points.map(({ intensity }) => intensity);
  const ends = [Math.min(ridge, ...intensities) / 1.5, ridge, Math.max(ridge, ...intensities) * 1.5];
  return ends.map((intensity) => ({ intensity, rate: Math.min(rate, bandwidth * intensity) }));
}
