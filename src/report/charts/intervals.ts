import { lightTheme } from '../theme.ts';
import type { ChartSpec, Standing } from '../document.ts';
import { frame, inRow, rowNames, rowPosition as y, rowsHeight } from './frame.ts';

/** A figure with its interval, one a row. */
export interface IntervalRow {
  readonly name: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly standing: Standing;
  readonly label: string;
  /** The largest value that passes; none where absent. */
  readonly margin?: number;
}

export interface IntervalData {
  readonly title: string;
  readonly axis: string;
  readonly rows: readonly IntervalRow[];
  /** Where nothing changes; none where absent. */
  readonly neutral?: number;
  readonly logarithmic?: boolean;
  /** A d3-format of the axis. */
  readonly format: string;
}

/** A forest plot: a point and its interval a row, in the order given, with the margin as a tick and a line where nothing changes. */
export function intervalChart({ title, axis, rows, neutral, logarithmic = false, format }: IntervalData): ChartSpec {
  const scale = logarithmic ? { type: 'log', nice: false, padding: 16 } : { zero: false, nice: true, padding: 16 };
  const x = { field: 'value', type: 'quantitative', title: axis, scale, axis: { format, tickCount: 6 } } as const;
  const color = {
    field: 'standing',
    type: 'nominal',
    legend: null,
    scale: { domain: ['good', 'bad', 'unsure', 'plain'], range: Object.values(lightTheme.standing) },
  } as const;
  const values = [...rows];
  const names = rows.map(({ name }) => name);
  return {
    ...frame(title),
    height: rowsHeight(names),
    data: { values },
    layer: [
      ...(neutral === undefined
        ? []
        : [
            {
              data: { values: [{ value: neutral }] },
              mark: { type: 'rule', color: lightTheme.ink, strokeWidth: 1, aria: false },
              encoding: { x },
            },
          ]),
      ...rowNames(names),
      {
        transform: [{ filter: 'isValid(datum.margin)' }],
        mark: { type: 'tick', color: lightTheme.muted, thickness: 2, size: 16, ...inRow, aria: false },
        encoding: { x: { ...x, field: 'margin' }, y },
      },
      {
        mark: { type: 'rule', strokeWidth: 3, ...inRow, aria: false },
        encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' }, y, color },
      },
      { mark: { type: 'point', filled: true, size: 80, opacity: 1, ...inRow }, encoding: { x, y, color, description: { field: 'label' } } },
    ],
  };
}
