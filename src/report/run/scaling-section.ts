import { size, time } from '../../text/figures.ts';
import { growthExponent, growthText } from './growth-exponent.ts';
import { intervalChart } from '../charts/intervals.ts';
import { scalingChart } from '../charts/scaling.ts';
import type { ScalingPoint } from '../charts/scaling.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Chart, Section, Table } from '../document.ts';
import type { MeasuredCell, SettingGroup } from './measured-cell.ts';

/** A figure that grows with the length: how it is read, and how it is told. */
interface Figure {
  readonly id: 'latency' | 'memory';
  readonly title: string;
  readonly axis: string;
  /** The axis's unit in the record's: 1e6 ns a millisecond. */
  readonly unit: number;
  read(cell: MeasuredCell): { readonly value: number; readonly low?: number; readonly high?: number } | undefined;
  text(value: number): string;
}

const latency: Figure = {
  id: 'latency',
  title: 'Latency',
  axis: 'median latency, ms',
  unit: 1e6,
  read: ({ cell, medianNs }) =>
    medianNs === undefined
      ? undefined
      : { value: medianNs, ...(cell.latency!.ciNs.low > 0 && { low: cell.latency!.ciNs.low, high: cell.latency!.ciNs.high }) },
  text: time,
};

const memory: Figure = {
  id: 'memory',
  title: 'Peak memory',
  axis: 'peak memory beyond the inputs, MB',
  unit: 1e6,
  read: ({ peakBytes }) => (peakBytes === undefined ? undefined : { value: peakBytes }),
  text: size,
};

/** Settings that are drawn; the table of all cells has the rest. */
const mostSettings = 6;
/** Rows of a chart of one length: the least figures. */
const mostRows = 60;

/** Latency and peak memory over length, side by side for each setting. */
export function scalingSection(groups: readonly SettingGroup[]): Section | undefined {
  const pairs = groups.flatMap((group, index) => {
    const charts = [latency, memory].flatMap((figure) => chartOf(figure, group, `${figure.id}-${index + 1}`) ?? []);
    return charts.length === 0 ? [] : [charts];
  });
  if (pairs.length === 0) return undefined;
  const more =
    pairs.length > mostSettings ? ` ${mostSettings} of ${pairs.length} settings are drawn; the table of all cells has the rest.` : '';
  const lead =
    'Latency is the median call with its 95 % interval over the samples of one process. Peak memory is what the call needs beyond its inputs, measured in a process of its own. ' +
    'Both axes are logarithmic, so a power of the length is a straight line; the dashed lines grow as n and n².';
  return { id: 'scaling', title: 'Latency and peak memory by length', lead: lead + more, parts: pairs.slice(0, mostSettings).flat() };
}

function chartOf(figure: Figure, group: SettingGroup, id: string): Chart | undefined {
  const points = group.cells.flatMap((measured): ScalingPoint[] => {
    const found = figure.read(measured);
    if (found === undefined) return [];
    const { value, low, high } = found;
    const reach = low === undefined || high === undefined ? '' : ` (${figure.text(low)} to ${figure.text(high)})`;
    return [
      {
        series: measured.name,
        length: measured.length,
        value: value / figure.unit,
        ...(low !== undefined && high !== undefined && { low: low / figure.unit, high: high / figure.unit }),
        label: `${measured.name}, ${measured.length} tokens: ${figure.text(value)}${reach}`,
      },
    ];
  });
  if (points.length === 0) return undefined;
  const drawn = group.series.filter(({ name }) => points.some(({ series }) => series === name));
  const one = new Set(points.map(({ length }) => length)).size === 1;
  const title = `${figure.title}: ${group.setting}${one ? ` · ${points[0]!.length} tokens` : ''}`;
  const shared = { kind: 'chart', id, title, summary: summaryOf(figure, drawn, points), table: tableOf(figure, group, title) } as const;
  if (!one) return { ...shared, spec: scalingChart({ title, axis: figure.axis, series: drawn, points }) };
  const rows = points
    .toSorted((a, b) => a.value - b.value)
    .slice(0, mostRows)
    .map(({ series, value, low = value, high = value, label }) => ({ name: series, value, low, high, label, standing: 'plain' as const }));
  return {
    ...shared,
    spec: intervalChart({
      title,
      axis: figure.axis,
      rows,
      logarithmic: true,
      format: '~s',
    }),
  };
}

function summaryOf(figure: Figure, series: SettingGroup['series'], points: readonly ScalingPoint[]): string {
  const last = Math.max(...points.map(({ length }) => length));
  const told = series.flatMap(({ name }) => {
    const own = points.filter((point) => point.series === name);
    const end = own.find(({ length }) => length === last);
    if (end === undefined) return [];
    const power = growthExponent(
      own.map(({ length }) => length),
      own.map(({ value }) => value),
    );
    return [
      {
        value: end.value,
        text: `${name} ${figure.text(end.value * figure.unit)}${power === undefined ? '' : `, growing as n^${growthText(power)}`}`,
      },
    ];
  });
  const sorted = told.toSorted((a, b) => a.value - b.value).map(({ text }) => text);
  return `At ${last} tokens, lowest first: ${sorted.join('; ')}.`;
}

function tableOf(figure: Figure, { cells, series, lengths }: SettingGroup, title: string): Table {
  const rows = series.map(({ name }) => {
    const own = cells.filter((measured) => measured.name === name);
    const values = lengths
      .map((length) => own.find((measured) => measured.length === length))
      .map((measured) => measured && figure.read(measured)?.value);
    const power = growthExponent(
      lengths.filter((_, index) => values[index] !== undefined),
      values.filter((value) => value !== undefined),
    );
    const growth = power === undefined ? { text: '–' } : { text: growthText(power), value: power.slope };
    return [...words(name), ...values.map((value) => figureCell(value, figure.text)), growth];
  });
  const columns = [{ title: 'kernel' }, ...numeric(...lengths.map((length) => `${length} tokens`), 'grows as n to the')];
  return { kind: 'table', title, columns, rows };
}
