import type { ChartSpec } from '../document.ts';
import { lightTheme } from '../theme.ts';
import { panelHeader, titled } from './frame.ts';

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
    ...titled(title),
    data: { values: [...points] },
    facet: { field: 'panel', type: 'nominal', title: null, header: panelHeader, sort: [...new Set(points.map(({ panel }) => panel))] },
    columns: 2,
    spec: {
      width: 175,
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
