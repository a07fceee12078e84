import type { ChartSpec } from '../document.ts';
import { lightTheme } from '../theme.ts';
import { frame } from './frame.ts';

export interface HeatCell {
  readonly row: string;
  readonly column: number;
  /** From 0 to 1. */
  readonly share: number;
  readonly label: string;
}

export interface HeatMapData {
  readonly title: string;
  readonly columns: string;
  readonly share: string;
  readonly cells: readonly HeatCell[];
}

/** Shares by row and column, darker for more, in five steps. */
export function heatMapChart({ title, columns, share, cells }: HeatMapData): ChartSpec {
  const x = { field: 'column', type: 'ordinal', title: columns, axis: { labelAngle: 0, labelOverlap: true } } as const;
  const y = { field: 'row', type: 'nominal', title: null, sort: null, axis: { labelLimit: 250 } } as const;
  const wide = new Set(cells.map(({ column }) => column)).size;
  return {
    ...frame(title),
    height: 24 * new Set(cells.map(({ row }) => row)).size,
    data: { values: [...cells] },
    layer: [
      {
        mark: { type: 'rect', stroke: lightTheme.surface },
        encoding: {
          x,
          y,
          color: {
            field: 'share',
            type: 'quantitative',
            title: share,
            scale: { type: 'quantize', domain: [0, 1], range: [...lightTheme.ramp] },
            legend: { format: '.0%' },
          },
          description: { field: 'label' },
        },
      },
      ...(wide > 10
        ? []
        : [
            {
              mark: { type: 'text', aria: false, fontSize: 10 },
              encoding: {
                x,
                y,
                text: { field: 'share', type: 'quantitative', format: '.0%' },
                color: { condition: { test: 'datum.share >= 0.4', value: lightTheme.surface }, value: lightTheme.ink },
              },
            },
          ]),
    ],
  };
}
