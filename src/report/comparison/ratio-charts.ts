import { factor } from '../../text/figures.ts';
import { intervalChart } from '../charts/intervals.ts';
import type { IntervalRow } from '../charts/intervals.ts';
import type { ComparedRow, RunComparison } from '../compare-runs.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Chart, Section, Table } from '../document.ts';
import { numbered } from './column-names.ts';
import { basesSentence, label, ratioText } from './wording.ts';
import type { Ratio } from './ratio.ts';

/** Columns that are drawn, and cells in a drawing; the table of all cells has the rest. */
const mostCharts = 4;
const mostRows = 40;

/** A cell's name with the words of its setting that tell it from others, and its ratio. */
interface Named {
  readonly name: string;
  readonly ratio: Ratio;
}

/** How long each cell takes against the base's, a chart for each other column. */
export function ratioSection(comparison: RunComparison): Section | undefined {
  const { columns, rows } = comparison;
  const names = tellingNames(rows);
  const compared = columns.flatMap((_, index) => {
    const named = rows.flatMap(({ cells }, row) =>
      cells[index]!.ratio === null ? [] : [{ name: names[row]!, ratio: cells[index]!.ratio }],
    );
    return named.length === 0 ? [] : [{ index, named }];
  });
  if (compared.length === 0) return undefined;
  const left = compared.length - mostCharts;
  const more = left > 0 ? ` ${mostCharts} of ${compared.length} columns are drawn; the table of all cells has the others.` : '';
  return {
    id: 'ratios',
    title: 'Latency relative to the base',
    lead: `The median of each cell ${basesSentence(comparison)}; below 1 is faster. The interval covers only the spread within the two processes and is not a verdict.${more}`,
    parts: compared.slice(0, mostCharts).map(({ index, named }) => chartOf(comparison, index, named)),
  };
}

function chartOf({ columns }: RunComparison, index: number, all: readonly Named[]): Chart {
  const [name, base] = [label(columns[index]!.name), label(columns[columns[index]!.base]!.name)];
  const drawn = farthest(all);
  const cut = drawn.length < all.length ? ` The chart shows the ${drawn.length} of ${all.length} cells farthest from 1.` : '';
  const faster = all.filter(({ ratio }) => (ratio.interval?.high ?? ratio.value) < 1).length;
  const slower = all.filter(({ ratio }) => (ratio.interval?.low ?? ratio.value) > 1).length;
  const least = all.reduce((best, each) => (each.ratio.value < best.ratio.value ? each : best));
  const most = all.reduce((worst, each) => (each.ratio.value > worst.ratio.value ? each : worst));
  return {
    kind: 'chart',
    id: `ratio-${index}`,
    title: `${name} against ${base}`,
    summary: `Of ${all.length} cells, ${faster} are faster, ${slower} are slower, and ${all.length - faster - slower} have an interval that includes 1. The ratios range from ${factor(least.ratio.value)} (${least.name}) to ${factor(most.ratio.value)} (${most.name}).${cut}`,
    spec: intervalChart({
      title: `latency of ${name} / ${base}`,
      axis: 'latency / base latency',
      rows: drawn.map(intervalRow),
      neutral: 1,
      logarithmic: true,
      format: '.3~g',
    }),
    table: tableOf(drawn),
  };
}

function intervalRow({ name, ratio }: Named): IntervalRow {
  const { low, high } = ratio.interval ?? { low: ratio.value, high: ratio.value };
  return { name, value: ratio.value, low, high, standing: 'plain', label: `${name}: ${ratioText(ratio)}` };
}

function tableOf(drawn: readonly Named[]): Table {
  return {
    kind: 'table',
    title: 'Ratios',
    columns: [{ title: 'cell' }, ...numeric('ratio', 'low', 'high')],
    rows: drawn.map(({ name, ratio: { value, interval } }) => [
      ...words(name),
      figureCell(value, factor),
      figureCell(interval?.low, factor),
      figureCell(interval?.high, factor),
    ]),
  };
}

/** At most so many, those farthest from 1 either way; in their order. */
function farthest(all: readonly Named[]): Named[] {
  const kept = new Set(all.toSorted((a, b) => distance(b) - distance(a)).slice(0, mostRows));
  return all.filter((each) => kept.has(each));
}

function distance({ ratio }: Named): number {
  return Math.abs(Math.log(ratio.value));
}

/** Unique, at most 60 characters but for the number that tells equal ones apart. */
function tellingNames(rows: readonly ComparedRow[]): string[] {
  const settings = rows.map(({ setting }) => setting.split(' · '));
  const counts = new Map<string, number>();
  for (const parts of settings) for (const part of new Set(parts)) counts.set(part, (counts.get(part) ?? 0) + 1);
  return numbered(
    rows.map(({ kernel }, index) => {
      const telling = settings[index]!.filter((part) => counts.get(part)! < rows.length);
      return label([kernel, ...telling].join(' · '));
    }),
  );
}
