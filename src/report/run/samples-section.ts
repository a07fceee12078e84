import { digits, percent, time } from '../../text/figures.ts';
import { median } from '../../statistics/order-statistics.ts';
import { numbered } from '../comparison/column-names.ts';
import { driftChart } from '../charts/drift.ts';
import { samplesChart } from '../charts/samples.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Section, Table } from '../document.ts';
import type { MeasuredCell } from './measured-cell.ts';

/** Cells that are drawn at full size; the table has a small line for each of them all. */
const mostStrips = 24;
const mostPanels = 12;
/** Points of one cell in a drawing: more are thinned evenly. */
const mostTicks = 80;
const mostPoints = 60;

/** The samples behind every latency: their spread, and their order in time. */
export function samplesSection(cells: readonly MeasuredCell[]): Section | undefined {
  const timed = cells.filter(({ cell, medianNs }) => medianNs !== undefined && cell.latency!.samplesNs.length > 0);
  if (timed.length === 0) return undefined;
  const many = new Set(timed.map(({ setting }) => setting)).size > 1;
  const titles = numbered(timed.map(({ name, length, setting }) => `${name} · ${length}${many ? ` · ${setting}` : ''}`));
  const named = timed.map((measured, index) => ({ ...measured, title: titles[index]! }));
  const longestFirst = named.toSorted((a, b) => b.length - a.length);
  return {
    id: 'samples',
    title: 'Samples',
    lead: 'Each sample is a batch of calls, reported per call. No slow sample is dropped. A slope over time is drift; a second cluster is a second mode. The charts show the longest cells; the table has all of them, with their samples in order.',
    parts: [strips(longestFirst.slice(0, mostStrips)), panels(longestFirst.slice(0, mostPanels)), tableOf(named)],
  };
}

type Named = MeasuredCell & { readonly title: string };

function strips(cells: readonly Named[]) {
  const series = [...new Map(cells.map(({ name, cell }) => [name, { name, variant: cell.variant.name }])).values()];
  const samples = cells.flatMap(({ title, name, medianNs, cell }) =>
    thinned(
      cell.latency!.samplesNs.toSorted((a, b) => a - b),
      mostTicks,
    ).flatMap((sample) => (sample > 0 ? [{ name: title, series: name, ratio: sample / medianNs! }] : [])),
  );
  return {
    kind: 'chart' as const,
    id: 'samples-spread',
    title: 'Spread of the samples',
    summary: `The median absolute deviation ranges from ${spreads(cells)} of the median across cells.`,
    spec: samplesChart({ title: 'each sample divided by the median of its cell', series, samples }),
    table: spreadTable(cells),
  };
}

function spreads(cells: readonly Named[]): string {
  const shares = cells.map(({ cell, medianNs }) => cell.latency!.madNs / medianNs!).sort((a, b) => a - b);
  return `${percent(shares[0]!)} to ${percent(shares.at(-1)!)}`;
}

function spreadTable(cells: readonly Named[]): Table {
  const figures = ['min', 'median', 'p99', 'median deviation'];
  return {
    kind: 'table',
    title: 'Spread',
    columns: [{ title: 'cell' }, ...numeric(...figures)],
    rows: cells.map(({ title, cell: { latency } }) => [
      ...words(title),
      ...[latency!.minNs, latency!.medianNs, latency!.p99Ns, latency!.madNs].map((value) => figureCell(value, time)),
    ]),
  };
}

function panels(cells: readonly Named[]) {
  const points = cells.flatMap(({ title, medianNs, cell }) => {
    const samples = cell.latency!.samplesNs;
    const step = Math.max(1, Math.ceil(samples.length / mostPoints));
    return thinned(samples, mostPoints).map((sample, index) => ({
      panel: title,
      order: index * step + 1,
      change: 100 * (sample / medianNs! - 1),
    }));
  });
  return {
    kind: 'chart' as const,
    id: 'samples-drift',
    title: 'Samples in measurement order',
    summary: `Change from the first half of each cell’s samples to the second: ${cells.map(({ title, cell }) => `${title} ${driftText(cell.latency!.samplesNs)}`).join('; ')}.`,
    spec: driftChart({ title: 'change relative to the median of the cell', order: 'sample', change: '%', points }),
    table: {
      kind: 'table' as const,
      title: 'Drift',
      columns: [{ title: 'cell' }, ...numeric('second half vs. first')],
      rows: cells.map(({ title, cell }) => [
        ...words(title),
        { text: driftText(cell.latency!.samplesNs), value: drift(cell.latency!.samplesNs) },
      ]),
    },
  };
}

function tableOf(cells: readonly Named[]): Table {
  return {
    kind: 'table',
    title: 'Samples of all cells',
    columns: [
      { title: 'cell' },
      { title: 'setting' },
      ...numeric('samples', 'calls per sample', 'min', 'median', 'p99', 'drift'),
      { title: 'in order' },
    ],
    rows: cells.map(({ title, setting, cell: { latency } }) => [
      ...words(title, setting),
      figureCell(latency!.samplesNs.length, digits),
      figureCell(latency!.callsPerSample, digits),
      ...[latency!.minNs, latency!.medianNs, latency!.p99Ns].map((value) => figureCell(value, time)),
      { text: driftText(latency!.samplesNs), value: drift(latency!.samplesNs) },
      { text: '', line: thinned(latency!.samplesNs, 40) },
    ]),
  };
}

/** The second half's median over the first's, less 1. */
function drift(samples: readonly number[]): number {
  if (samples.length < 2) return 0;
  const half = Math.floor(samples.length / 2);
  const first = median(samples.slice(0, half));
  return first > 0 ? median(samples.slice(-half)) / first - 1 : 0;
}

function driftText(samples: readonly number[]): string {
  const change = 100 * drift(samples);
  return `${change > 0 ? '+' : change < 0 ? '−' : ''}${Math.abs(change).toFixed(1)} %`;
}

/** Evenly thinned to at most `most` of them. */
function thinned(values: readonly number[], most: number): number[] {
  const step = Math.max(1, Math.ceil(values.length / most));
  return values.filter((_, index) => index % step === 0);
}
