import { wrap } from '../../text/layout.ts';
import { lightTheme } from '../theme.ts';

/**
 * The width that every chart is drawn at, pixels: half a page of two charts side by side, and not so much more than a telephone that its
 * words could not be read there.
 */
export const chartWidth = 480;

/** Characters of a title on one line. */
const titleWidth = 50;

/** What every chart of one view has: its schema, its title in lines that fit, its width with all that stands beside the plot. */
export function frame(title: string) {
  return { ...titled(title), width: chartWidth, autosize: { type: 'fit-x', contains: 'padding' } } as const;
}

/** The same for charts of panels, whose widths are their own. */
export function titled(title: string) {
  return { $schema: 'https://vega.github.io/schema/vega-lite/v6.json', title: wrap(title, titleWidth).map((line) => line.trim()) } as const;
}

/** Of one of two panels side by side: its name in lines, broken where its parts meet. */
export const panelHeader = { labelExpr: "split(datum.label, ' · ')", labelLimit: 290 } as const;

/** Rows with their names above them, so that a long name leaves the plot its width. */
const rowHeight = 34;
/** How far below a row's middle its marks lie. */
const marksBelow = 7;

/** For the marks of a row. */
export const inRow = { yOffset: marksBelow } as const;

/** Of a plot with a row for each name. */
export function rowsHeight(names: readonly string[]): number {
  return rowHeight * new Set(names).size;
}

/** The rows' positions, in the order given. */
export const rowPosition = { field: 'name', type: 'nominal', title: null, sort: null, axis: null } as const;

/**
 * The names of rows: two layers, as lines that pass behind a name leave it a margin. Without a canvas Vega takes a character for wider than it is:
 * the limit is of its own pixels.
 */
export function rowNames(names: readonly string[]) {
  const layer = {
    data: { values: [...new Set(names)].map((name) => ({ name })) },
    encoding: { y: rowPosition, x: { value: 0 }, text: { field: 'name', type: 'nominal' } },
  } as const;
  const mark = { type: 'text', align: 'left', baseline: 'bottom', yOffset: 1, limit: 1.3 * chartWidth, aria: false } as const;
  return [
    { ...layer, mark: { ...mark, stroke: lightTheme.surface, strokeWidth: 4 } },
    { ...layer, mark },
  ] as const;
}

/** Days that an axis of time names. */
const mostDays = 5;

/** An axis of time that names some of the days that there are figures of, each once. `times` are ISO 8601, in UTC. */
export function dayAxis(times: readonly string[]) {
  const days = [...new Map(times.toSorted().map((time) => [time.slice(0, 10), time])).values()];
  const step = Math.ceil(days.length / mostDays);
  const values = days
    .filter((_, index) => index % step === 0)
    .map((time) => {
      const at = new Date(time);
      const [year, month, date] = [at.getUTCFullYear(), at.getUTCMonth() + 1, at.getUTCDate()];
      return { year, month, date, hours: at.getUTCHours(), minutes: at.getUTCMinutes(), utc: true };
    });
  return { format: '%Y-%m-%d', values, labelOverlap: true } as const;
}
