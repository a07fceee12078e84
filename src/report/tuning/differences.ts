import type { TuningCandidateRecord } from '../../tuning/record.ts';
import { intervalChart } from '../charts/intervals.ts';
import type { IntervalRow } from '../charts/intervals.ts';
import { figureCell } from '../document.ts';
import type { Chart, Standing, Table, TableCell } from '../document.ts';
import type { Measure } from './measure.ts';

/** Of mean scores over seeds; null where there is no such figure, or it is infinite. */
export type Difference = TuningCandidateRecord['difference'];

/** Rows that are drawn; the table has all. */
const mostDrawn = 60;

/** Mean difference, its interval and p. */
export function differenceCells(measure: Measure, difference: Difference): TableCell[] {
  const { mean, p, count } = difference;
  const interval = intervalText(measure, difference);
  return [
    figureCell(mean, measure.differenceText),
    interval === undefined ? { text: count < 2 ? 'one seed only' : 'none' } : { text: interval },
    count < 2 ? { text: '–' } : figureCell(p, probability),
  ];
}

function intervalText(measure: Measure, { low, high }: Difference): string | undefined {
  return low === null || high === null ? undefined : `${measure.differenceText(low)} … ${measure.differenceText(high)}`;
}

function probability(p: number): string {
  return p < 1e-4 ? '< .0001' : p.toFixed(4).replace(/^0/, '');
}

export interface DifferenceRows {
  readonly id: string;
  readonly title: string;
  readonly axis: string;
  readonly rows: ReadonlyArray<{ readonly name: string; readonly difference: Difference }>;
  readonly measure: Measure;
  readonly table: Table;
}

/** A forest plot of differences over seeds; undefined where none has an interval. */
export function differencesChart({ id, title, axis, rows, measure, table }: DifferenceRows): Chart | undefined {
  const whole = rows.flatMap(({ name, difference }) => rowOf(name, difference, measure) ?? []);
  if (whole.length === 0) return undefined;
  const drawn = whole.slice(0, mostDrawn);
  const left = rows.length - drawn.length;
  const without = left === 0 ? '' : ` Not shown, without an interval or for lack of space: ${left} of ${rows.length}.`;
  return {
    kind: 'chart',
    id,
    title,
    summary: `${drawn
      .slice(0, 8)
      .map(({ label }) => label)
      .join('; ')}${drawn.length > 8 ? '; and more in the table' : ''}.${without}`,
    spec: intervalChart({ title: 'right is better; 95 % interval over seeds', axis, rows: drawn, neutral: 0, format: '+.3~g' }),
    table,
  };
}

function rowOf(name: string, difference: Difference, measure: Measure): IntervalRow | undefined {
  const { mean, low, high } = difference;
  if (mean === null || low === null || high === null) return undefined;
  const standing: Standing = low > 0 ? 'good' : high < 0 ? 'bad' : 'plain';
  const [value, from, to] = [mean, low, high].map((each) => measure.differenceShown(each)) as [number, number, number];
  return {
    name,
    value,
    low: from,
    high: to,
    standing,
    label: `${name}: ${measure.differenceText(mean)} (${intervalText(measure, difference)})`,
  };
}
