import type { ChartSpec } from '../document.ts';
import { lightTheme } from '../theme.ts';
import { frame, inRow, rowNames, rowPosition as y, rowsHeight } from './frame.ts';

export interface WorkRow {
  readonly name: string;
  /** Pairs, in millions or as they are: one unit for all. */
  readonly kind: 'scored' | 'weighted' | 'dense';
  readonly pairs: number;
  readonly label: string;
}

/** Scored pairs (what is computed) beside weighted ones (what the output is made of); a tick shows those that dense attention may weigh. */
export function workChart({ title, rows }: { title: string; rows: readonly WorkRow[] }): ChartSpec {
  const kinds = ['scored', 'weighted'];
  const scale = { type: 'log', nice: false, padding: 16 };
  const x = {
    field: 'pairs',
    type: 'quantitative',
    title: 'pairs of a query and a key (tick: dense)',
    scale,
    axis: { format: '~s', tickCount: 6 },
  };
  const range = [lightTheme.standing.bad, lightTheme.standing.plain];
  const names = rows.map(({ name }) => name);
  return {
    ...frame(title),
    height: rowsHeight(names),
    layer: [
      ...rowNames(names),
      {
        data: { values: rows.filter(({ kind }) => kind === 'dense') },
        mark: { type: 'tick', thickness: 2, size: 16, color: lightTheme.muted, ...inRow, aria: false },
        encoding: { x, y },
      },
      {
        data: { values: rows.filter(({ kind }) => kind !== 'dense') },
        mark: { type: 'point', filled: true, size: 90, opacity: 1, ...inRow },
        encoding: {
          x,
          y,
          shape: { field: 'kind', type: 'nominal', title: null, scale: { domain: kinds, range: ['circle', 'diamond'] } },
          color: { field: 'kind', type: 'nominal', title: null, scale: { domain: kinds, range } },
          description: { field: 'label' },
        },
      },
    ],
  };
}
