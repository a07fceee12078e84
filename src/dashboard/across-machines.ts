import { digits, factor } from '../text/figures.ts';
import { meanInterval } from '../statistics/student.ts';
import { intervalChart } from '../report/charts/intervals.ts';
import type { IntervalRow } from '../report/charts/intervals.ts';
import { numbered } from '../report/comparison/column-names.ts';
import { geometricMean, ratioOfMedians } from '../report/comparison/ratio.ts';
import { label } from '../report/comparison/wording.ts';
import { figureCell } from '../report/document.ts';
import type { Chart, Section, Table, TableCell } from '../report/document.ts';
import { measuredCells } from '../report/run/measured-cell.ts';
import { nameOf } from '../report/cell-facts.ts';
import type { Machine, MachineSuite } from './machines.ts';

/** Runs that a ratio rests on: the latest. */
const mostRuns = 10;
/** From so many runs on, the interval is over runs. */
const fewestRuns = 3;
/** Charts of the page, and rows of one; the table has the rest. */
const mostCharts = 6;
const mostRows = 36;

/** Latency of a cell over its machine's own reference cell, in the same runs. */
export interface MachineRatio {
  readonly machine: Machine;
  readonly kernel: string;
  readonly setting: string;
  readonly length: number;
  readonly value: number;
  readonly interval: { readonly low: number; readonly high: number } | null;
  readonly runs: number;
}

/** The ratios of every machine, by setting, kernel and length, then machine: never by their size. */
export function ratiosOf(machines: readonly Machine[]): MachineRatio[] {
  return machines.flatMap((machine) => machine.suites.flatMap((suite) => ratiosIn(machine, suite)));
}

function ratiosIn(machine: Machine, { latest, runs }: MachineSuite): MachineRatio[] {
  const cells = measuredCells(latest);
  const references = cells.filter(({ cell }) => nameOf(cell) === latest.suite.reference);
  return cells.flatMap((measured): MachineRatio[] => {
    const { cell, setting, length, name } = measured;
    const reference = references.find((other) => other.setting === setting && other.length === length);
    if (reference === undefined || reference === measured || !(measured.medianNs && reference.medianNs)) return [];
    const found = runs.slice(-mostRuns).flatMap(({ medians }) => {
      const [own, base] = [medians.get(cell.id), medians.get(reference.cell.id)];
      return own && base ? [own / base] : [];
    });
    const shared = { machine, kernel: name, setting, length };
    if (found.length >= fewestRuns) return [{ ...shared, ...overRuns(found) }];
    const ratio = ratioOfMedians(cell.latency!, reference.cell.latency!);
    return ratio === null ? [] : [{ ...shared, ...ratio, runs: 1 }];
  });
}

/** The geometric mean over runs, with Student's 95 % interval of the logarithms. */
function overRuns(ratios: readonly number[]) {
  const { low, high } = meanInterval(ratios.map(Math.log), 0.025);
  return { value: geometricMean(ratios)!.value, interval: { low: Math.exp(low), high: Math.exp(high) }, runs: ratios.length };
}

const acrossMachinesLead =
  'Latency of each kernel divided by that of the suite’s reference kernel on the same machine, at the same length, in the same run. Only this ratio is compared across machines: ' +
  'absolute latencies reflect every difference between the machines. The order is by name and never a ranking: two machines whose intervals overlap cannot be told apart here. ' +
  `The 95 % interval is over runs, where a machine has at least ${fewestRuns} of them (the latest ${mostRuns}); otherwise it covers only the spread within one run, and is too narrow.`;

/** One chart for each setting at its longest length, and a table of everything. */
export function acrossMachinesSection(ratios: readonly MachineRatio[]): Section {
  const settings = [...Map.groupBy(ratios, ({ setting }) => setting)];
  const charts = settings.slice(0, mostCharts).map(([setting, own], index) => chartOf(setting, own, index));
  const left = settings.length - charts.length;
  return {
    id: 'ratios',
    title: 'Ratio to the reference kernel, machine by machine',
    lead: `${acrossMachinesLead}${left > 0 ? ` ${charts.length} of ${settings.length} settings are drawn; the table has the others.` : ''}`,
    parts: [...charts, ratioTable('All ratios', ratios)],
  };
}

function chartOf(setting: string, all: readonly MachineRatio[], index: number): Chart {
  const longest = Math.max(...all.map(({ length }) => length));
  const own = all.filter(({ length }) => length === longest).toSorted(byName);
  const drawn = own.slice(0, mostRows);
  const names = numbered(drawn.map(({ kernel, machine }) => `${kernel} · ${label(machine.name, 40)}`));
  const rows = drawn.map((ratio, row) => rowOf(ratio, names[row]!));
  const title = `${setting} · ${longest} tokens`;
  const [less, more] = [
    drawn.filter(({ interval }) => interval && interval.high < 1).length,
    drawn.filter(({ interval }) => interval && interval.low > 1).length,
  ];
  const cut = own.length > drawn.length ? ` The chart shows the first ${drawn.length} of ${own.length}.` : '';
  return {
    kind: 'chart',
    id: `ratio-${index + 1}`,
    title,
    summary: `${drawn.length} pairs of kernel and machine: ${less} are faster than that machine’s reference kernel, ${more} are slower, and ${drawn.length - less - more} cannot be told apart from it (the interval includes 1).${cut}`,
    spec: intervalChart({ title, axis: 'latency / latency of the reference kernel', rows, neutral: 1, logarithmic: true, format: '.3~g' }),
    table: ratioTable(title, drawn),
  };
}

function rowOf(ratio: MachineRatio, name: string): IntervalRow {
  const { value, interval } = ratio;
  const { low, high } = interval ?? { low: value, high: value };
  return { name, value, low, high, standing: 'plain', label: `${name}: ${ratioText(ratio)}` };
}

function ratioText({ value, interval, runs }: MachineRatio): string {
  const reach = interval === null ? '' : ` [${digits(interval.low)}, ${digits(interval.high)}]`;
  return `${factor(value)}${reach}, ${runs} run${runs === 1 ? '' : 's'}`;
}

function ratioTable(title: string, ratios: readonly MachineRatio[]): Table {
  const numeric = ['tokens', 'ratio', 'low', 'high', 'runs'];
  return {
    kind: 'table',
    title,
    columns: ['kernel', ...numeric, 'machine', 'setting'].map((name) => ({
      title: name,
      numeric: numeric.includes(name),
      wraps: ['machine', 'setting'].includes(name),
    })),
    rows: ratios
      .toSorted(byName)
      .map(({ kernel, machine, length, value, interval, runs, setting }): TableCell[] => [
        { text: kernel },
        figureCell(length, String),
        figureCell(value, factor),
        figureCell(interval?.low, factor),
        figureCell(interval?.high, factor),
        figureCell(runs, String),
        { text: machine.name, href: machine.page },
        { text: setting },
      ]),
  };
}

function byName(a: MachineRatio, b: MachineRatio): number {
  return a.kernel.localeCompare(b.kernel) || a.length - b.length || a.machine.name.localeCompare(b.machine.name);
}
