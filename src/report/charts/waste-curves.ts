import type { ChartSpec } from '../document.ts';
import { encodeSeries } from './encode-series.ts';
import type { Series } from './encode-series.ts';
import { frame } from './frame.ts';

export interface WastePoint {
  readonly series: string;
  /** The share of the mass that is kept. */
  readonly mass: number;
  readonly waste: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly label: string;
}

/** W_p: the share of scored pairs beyond the smallest sets of keys that hold the share p of the mass, for each p. */
export function wasteCurveChart({
  title,
  series,
  points,
}: {
  title: string;
  series: readonly Series[];
  points: readonly WastePoint[];
}): ChartSpec {
  const x = {
    field: 'mass',
    type: 'quantitative',
    title: 'mass kept, p',
    scale: { domain: [0.89, 1] },
    axis: { values: [0.9, 0.95, 0.99], format: '.0%' },
  } as const;
  const y = { field: 'waste', type: 'quantitative', title: 'wasted pairs', scale: { domain: [0, 1] }, axis: { format: '.0%' } } as const;
  const { color, strokeDash, shape } = encodeSeries(series);
  const values = [...points];
  return {
    ...frame(title),
    height: 260,
    data: { values },
    layer: [
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'rule', strokeWidth: 2, aria: false },
        encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
      },
      { mark: { type: 'line', strokeWidth: 1.8, aria: false }, encoding: { x, y, color, strokeDash } },
      { mark: { type: 'point', filled: true, size: 55, opacity: 1 }, encoding: { x, y, color, shape, description: { field: 'label' } } },
    ],
  };
}
