import type { ChartSpec } from '../document.ts';
import { lightTheme } from '../theme.ts';
import { encodeSeries } from './encode-series.ts';
import type { Series } from './encode-series.ts';
import { frame } from './frame.ts';

export interface TradeOffPoint {
  readonly series: string;
  readonly x: number;
  readonly y: number;
  /** Drawn as the mark's area. */
  readonly size: number;
  /** Whether no other point is at least as good in all and better in one. */
  readonly front: boolean;
  readonly label: string;
}

export interface TradeOffData {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly size: string;
  readonly logarithmicX: boolean;
  readonly series: readonly Series[];
  readonly points: readonly TradeOffPoint[];
}

/** What is lost against what is gained, lower left is better; filled marks are the Pareto front, joined by a line. */
export function tradeOffChart(data: TradeOffData): ChartSpec {
  const { title, series, points } = data;
  const x = {
    field: 'x',
    type: 'quantitative',
    title: data.x,
    scale: data.logarithmicX ? { type: 'log', nice: false, padding: 30 } : { zero: false, padding: 30 },
    axis: { format: '~s' },
  } as const;
  const y = { field: 'y', type: 'quantitative', title: data.y, scale: { zero: true, padding: 20 } } as const;
  const { color, shape } = encodeSeries(series);
  const values = points.toSorted((a, b) => a.x - b.x);
  const front = values.filter((point) => point.front);
  return {
    ...frame(title),
    height: 260,
    layer: [
      {
        data: { values: front },
        mark: { type: 'line', color: lightTheme.muted, strokeDash: [3, 4], strokeWidth: 1, aria: false },
        encoding: { x, y },
      },
      {
        data: { values },
        mark: { type: 'point', strokeWidth: 2, opacity: 1 },
        encoding: {
          x,
          y,
          // As a stroke: beside a fill, a colour has no legend.
          stroke: color,
          shape,
          fill: {
            condition: { test: 'datum.front', field: 'series', type: 'nominal', scale: color.scale },
            value: 'transparent',
          },
          size: {
            field: 'size',
            type: 'quantitative',
            title: data.size,
            scale: { range: [40, 900], zero: true },
            legend: { columns: 5, format: '~s', symbolStrokeColor: lightTheme.ink, titleLimit: 300 },
          },
          description: { field: 'label' },
        },
      },
    ],
  };
}
