import type { ChartSpec } from '../document.ts';
import { lightTheme } from '../theme.ts';
import { dayAxis, frame } from './frame.ts';

/** A figure of one run. */
export interface TimelinePoint {
  /** ISO 8601, in UTC. */
  readonly time: string;
  readonly value: number;
  readonly label: string;
}

/** A level that held from one run to another. */
export interface TimelineLevel {
  readonly from: string;
  readonly to: string;
  readonly value: number;
}

export interface TimelineData {
  readonly title: string;
  /** With its unit. */
  readonly axis: string;
  readonly points: readonly TimelinePoint[];
  readonly levels: readonly TimelineLevel[];
}

/** A figure run by run, the level that it keeps between changes as a line, and a dashed line where a new level begins. */
export function timelineChart({ title, axis, points, levels }: TimelineData): ChartSpec {
  const times = points.map(({ time }) => time);
  const x = {
    field: 'time',
    type: 'temporal',
    title: null,
    scale: { type: 'utc', padding: 14 },
    axis: dayAxis(times),
  } as const;
  const y = {
    field: 'value',
    type: 'quantitative',
    title: axis,
    scale: { zero: false, padding: 14 },
    axis: { format: '.4~g', tickCount: 5 },
  } as const;
  return {
    ...frame(title),
    height: 180,
    layer: [
      {
        data: { values: levels.slice(1) },
        mark: { type: 'rule', color: lightTheme.standing.unsure, strokeDash: [4, 4], aria: false },
        encoding: { x: { ...x, field: 'from' } },
      },
      {
        data: { values: [...levels] },
        mark: { type: 'rule', color: lightTheme.standing.plain, strokeWidth: 2.5, aria: false },
        encoding: { x: { ...x, field: 'from' }, x2: { field: 'to' }, y },
      },
      {
        data: { values: [...points] },
        mark: { type: 'point', filled: true, size: 45, opacity: 1, color: lightTheme.ink },
        encoding: { x, y, description: { field: 'label' } },
      },
    ],
  };
}
