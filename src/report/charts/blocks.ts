import type { ChartSpec } from '../document.ts';
import { lightTheme } from '../theme.ts';
import { panelHeader, titled } from './frame.ts';

export interface BlockMark {
  readonly panel: string;
  /** Counted from 1. */
  readonly block: number;
  /** In per cent. */
  readonly change: number;
  readonly kind: 'block' | 'round';
  readonly label: string;
}

/** The change of every block in order, with its rounds as small marks, a panel each comparison. */
export function blocksChart({ title, marks }: { title: string; marks: readonly BlockMark[] }): ChartSpec {
  const x = {
    field: 'block',
    type: 'quantitative',
    title: 'block',
    scale: { zero: false, nice: false, padding: 12 },
    axis: { format: 'd', tickMinStep: 1, tickCount: 5, grid: false },
  };
  const y = { field: 'change', type: 'quantitative', title: 'change, %', scale: { zero: true } };
  const { plain } = lightTheme.standing;
  return {
    ...titled(title),
    data: { values: [...marks] },
    facet: { field: 'panel', type: 'nominal', title: null, header: panelHeader, sort: [...new Set(marks.map(({ panel }) => panel))] },
    columns: 2,
    spec: {
      width: 175,
      height: 110,
      layer: [
        {
          transform: [{ filter: "datum.kind === 'round'" }],
          mark: { type: 'point', filled: true, size: 14, opacity: 0.6, color: lightTheme.muted, aria: false },
          encoding: { x, y },
        },
        {
          transform: [{ filter: "datum.kind === 'block'" }],
          mark: { type: 'line', color: plain, strokeWidth: 1.2, aria: false },
          encoding: { x, y },
        },
        {
          transform: [{ filter: "datum.kind === 'block'" }],
          mark: { type: 'point', filled: true, size: 42, opacity: 1, color: plain },
          encoding: { x, y, description: { field: 'label' } },
        },
      ],
    },
    resolve: { scale: { x: 'independent', y: 'independent' } },
  };
}
