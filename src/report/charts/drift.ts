import type { ChartSpec } from '../document.ts';
import { lightTheme } from '../theme.ts';

export interface DriftPoint {
  readonly panel: string;
  /** Counted from 1, in the order of measuring. */
  readonly order: number;
  /** In per cent of the panel's centre. */
  readonly change: number;
}

/** What was measured in the order of measuring, a panel each: a slope is drift, a step is a disturbance. */
export function driftChart({
  title,
  order,
  change,
  points,
}: {
  title: string;
  order: string;
  change: string;
  points: readonly DriftPoint[];
}): ChartSpec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title,
    data: { values: [...points] },
    facet: { field: 'panel', type: 'nominal', title: null, sort: [...new Set(points.map(({ panel }) => panel))] },
    columns: 3,
    spec: {
      width: 185,
      height: 80,
      mark: {
        type: 'line',
        strokeWidth: 1.2,
        color: lightTheme.standing.plain,
        point: { size: 12, color: lightTheme.standing.plain },
        aria: false,
      },
      encoding: {
        x: {
          field: 'order',
          type: 'quantitative',
          title: order,
          scale: { zero: false, nice: false },
          axis: { tickCount: 4, format: 'd', tickMinStep: 1 },
        },
        y: { field: 'change', type: 'quantitative', title: change, scale: { zero: false }, axis: { tickCount: 3 } },
      },
    },
    resolve: { scale: { x: 'independent', y: 'independent' } },
  };
}
