import { count, digits, factor, percent, size, time } from '../../text/figures.ts';
import { clip } from '../../text/layout.ts';
import { oneLine } from '../../text/untrusted.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Section, Standing, Table, TableCell } from '../document.ts';
import { workChart } from '../charts/work.ts';
import type { WorkRow } from '../charts/work.ts';
import { longest } from './measured-cell.ts';
import type { MeasuredCell, SettingGroup } from './measured-cell.ts';

/** Rows of one chart of work. */
const mostRows = 60;

const columns = ['latency', '±', 'p99', 'speed-up', 'peak memory', 'scored pairs', 'waste', 'missed', 'error', 'error budget'];

const statusStanding: Readonly<Record<string, Standing>> = {
  ok: 'good',
  mismatch: 'bad',
  failed: 'bad',
  'timed-out': 'bad',
  unsupported: 'unsure',
};

/** Every cell with every figure: to be sorted and filtered. */
export function resultsSection(cells: readonly MeasuredCell[]): Section {
  const table: Table = {
    kind: 'table',
    title: 'All cells',
    columns: [
      { title: 'kernel' },
      { title: 'setting' },
      ...numeric('tokens'),
      { title: 'status' },
      ...numeric(...columns),
      { title: 'reason' },
    ],
    rows: cells.map(row),
  };
  const lead =
    'Speed-up is relative to the reference kernel at the same length and setting. ± is the larger half-width of the median’s 95 % interval. Error is ‖out − ref‖/‖ref‖ against float64; a kernel whose error exceeds its budget is a mismatch and is not timed.';
  return { id: 'cells', title: 'All cells', lead, parts: [table] };
}

const steadyWords = new Map([
  [false, 'no steady state'],
  [null, 'too few samples to tell whether it is steady'],
]);

function row(measured: MeasuredCell): TableCell[] {
  const { cell, name, setting, length, medianNs, peakBytes, speedUp, waste } = measured;
  const { latency, work, error, status } = cell;
  const reach =
    latency && latency.medianNs > 0
      ? Math.max(latency.ciNs.high - latency.medianNs, latency.medianNs - latency.ciNs.low) / latency.medianNs
      : undefined;
  const steady = latency === undefined ? '' : (steadyWords.get(latency.warmup.steady) ?? '');
  return [
    ...words(name, setting),
    figureCell(length, String),
    { text: status, standing: statusStanding[status] ?? 'plain' },
    figureCell(medianNs, time),
    figureCell(status === 'ok' ? reach : undefined, percent),
    figureCell(status === 'ok' ? latency?.p99Ns : undefined, time),
    figureCell(speedUp, factor),
    figureCell(peakBytes, size),
    figureCell(work?.scoredPairs, count),
    figureCell(waste?.overall.kernelWaste.p95?.value, percent),
    figureCell(waste?.overall.missedMass?.value, percent),
    figureCell(error?.relative, digits),
    figureCell(error?.budget, digits),
    ...words(clip(oneLine([cell.reason ?? '', steady].filter((part) => part !== '').join('; ')), 300)),
  ];
}

/** Work counts at the greatest length of each setting: what is computed, what is used, what dense attention might use. */
export function workSection(groups: readonly SettingGroup[]): Section | undefined {
  const charts = groups.slice(0, 4).flatMap((group, index) => {
    const cells = longest(group)
      .filter(({ cell }) => cell.work !== undefined && cell.work.densePairs > 0)
      .slice(0, mostRows);
    if (cells.length === 0) return [];
    const rows = cells.flatMap(({ name, cell: { work } }): WorkRow[] =>
      (['scored', 'weighted', 'dense'] as const).map((kind) => ({
        name,
        kind,
        pairs: Math.max(1, work![`${kind}Pairs`]),
        label: `${name}: ${count(work![`${kind}Pairs`])} ${kind} pairs`,
      })),
    );
    const length = group.lengths.at(-1)!;
    const state = cells.some(({ cell: { work } }) => work!.stateBytes !== undefined);
    const table: Table = {
      kind: 'table',
      title: `Work at ${length} tokens`,
      columns: [
        { title: 'kernel' },
        ...numeric('scored pairs', 'weighted pairs', 'dense pairs', 'scored / dense', 'FLOP', 'least bytes', ...(state ? ['state'] : [])),
      ],
      rows: cells.map(({ name, cell: { work } }) => [
        ...words(name),
        ...[work!.scoredPairs, work!.weightedPairs, work!.densePairs].map((value) => figureCell(value, count)),
        figureCell(work!.scoredPairs / work!.densePairs, percent),
        figureCell(work!.flops, count),
        figureCell(work!.bytes, size),
        ...(state ? [figureCell(work!.stateBytes, size)] : []),
      ]),
    };
    return [
      {
        kind: 'chart' as const,
        id: `work-${index + 1}`,
        title: `${group.setting} · ${length} tokens`,
        summary: `Scored pairs as a share of dense attention’s pairs: ${cells.map(({ name, cell: { work } }) => `${name} ${percent(work!.scoredPairs / work!.densePairs)}`).join('; ')}.`,
        spec: workChart({ title: `${group.setting} · ${length} tokens`, rows }),
        table,
      },
    ];
  });
  if (charts.length === 0) return undefined;
  const lead =
    'Scored pairs are the q·k products that the kernel computes, including masked ones. Weighted pairs contribute to the output. Dense pairs are all that the mask allows.';
  return { id: 'work', title: 'Work', lead, parts: charts };
}
