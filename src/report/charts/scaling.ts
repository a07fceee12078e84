import type { ChartSpec } from '../document.ts';
import { lightTheme } from '../theme.ts';
import { encodeSeries } from './encode-series.ts';
import type { Series } from './encode-series.ts';
import { frame } from './frame.ts';

/** A figure of one kernel at one length. */
export interface ScalingPoint {
  readonly series: string;
  readonly length: number;
  readonly value: number;
  /** The interval, where there is one. */
  readonly low?: number;
  readonly high?: number;
  /** What a pointer on the mark is told. */
  readonly label: string;
}

export interface ScalingData {
  readonly title: string;
  /** With its unit: `latency, ms`. */
  readonly axis: string;
  readonly series: readonly Series[];
  readonly points: readonly ScalingPoint[];
  /** What `length` is where it is no length. @default tokens */
  readonly x?: { readonly title: string; readonly format: string };
  /** Dashed lines through the first series' first point, by their power of x. @default n and n² */
  readonly guides?: readonly Guide[];
}

interface Guide {
  readonly slope: string;
  readonly power: number;
}

const powers: readonly Guide[] = [
  { slope: 'n', power: 1 },
  { slope: 'n²', power: 2 },
];

/** A figure over length, both logarithmic: a power of the length is a straight line, as the dashed guides show. */
export function scalingChart({
  title,
  axis,
  series,
  points,
  x: along = { title: 'tokens', format: 'd' },
  guides = powers,
}: ScalingData): ChartSpec {
  const lengths = [...new Set(points.map(({ length }) => length))].sort((a, b) => a - b);
  const x = {
    field: 'length',
    type: 'quantitative',
    title: along.title,
    scale: { type: 'log', base: 2, nice: false, padding: 14 },
    axis: { values: lengths, format: along.format },
  } as const;
  const y = {
    field: 'value',
    type: 'quantitative',
    title: axis,
    scale: { type: 'log', nice: false, padding: 12 },
    axis: { format: '~s' },
  } as const;
  const { color, strokeDash, shape } = encodeSeries(series);
  return {
    ...frame(title),
    height: 260,
    layer: [
      {
        data: { values: slopes(lengths, points, guides) },
        mark: { type: 'line', color: lightTheme.muted, strokeDash: [3, 4], strokeWidth: 1, aria: false },
        encoding: { x, y, detail: { field: 'slope' } },
      },
      {
        data: { values: slopes(lengths, points, guides).filter(({ length }) => length === lengths.at(-1)) },
        mark: { type: 'text', align: 'left', dx: 4, color: lightTheme.muted, aria: false },
        encoding: { x, y, text: { field: 'slope' } },
      },
      {
        data: { values: points.filter(({ low }) => low !== undefined) },
        mark: { type: 'rule', strokeWidth: 2, aria: false },
        encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
      },
      {
        data: { values: [...points] },
        mark: { type: 'line', strokeWidth: 1.8, aria: false },
        encoding: { x, y, color, strokeDash },
      },
      {
        data: { values: [...points] },
        mark: { type: 'point', filled: true, size: 55, opacity: 1 },
        encoding: { x, y, color, shape, description: { field: 'label' } },
      },
    ],
  };
}

function slopes(lengths: readonly number[], points: readonly ScalingPoint[], guides: readonly Guide[]) {
  const start = points.find(({ length }) => length === lengths[0]);
  if (start === undefined) return [];
  return guides.flatMap(({ slope, power }) =>
    lengths.map((length) => ({ slope, length, value: start.value * (length / start.length) ** power })),
  );
}
