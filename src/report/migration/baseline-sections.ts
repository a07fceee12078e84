import { percent, size, time } from '../../text/figures.ts';
import type { StoredMigrationRecord } from '../../migration/record.ts';
import { heatMapChart } from '../charts/heat-map.ts';
import { intervalChart } from '../charts/intervals.ts';
import { scalingChart } from '../charts/scaling.ts';
import type { ScalingPoint } from '../charts/scaling.ts';
import { wasteCurveChart } from '../charts/waste-curves.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Chart, Section, Table } from '../document.ts';
import { groupTable } from '../group-table.ts';

type AtLength = StoredMigrationRecord['baseline']['lengths'][number];
export type BaselineLengths = readonly AtLength[];
/** Both models by length, as the last comparison measured them side by side. */
export interface ComparedFigures {
  /** Of the new model. */
  readonly name: string;
  readonly latencyNs: Sides;
  readonly peakBytes: Sides;
}
interface Sides {
  readonly base: ReadonlyMap<number, number>;
  readonly new: ReadonlyMap<number, number>;
}

/** Where the model stood: latency and memory over length, beside the new model’s of the same blocks where there is one: figures of other hours compare the weather. */
export function whereWeWere(lengths: BaselineLengths, compared: ComparedFigures | undefined): Section {
  const series = [
    { name: 'original', variant: 'original' },
    ...(compared === undefined ? [] : [{ name: compared.name, variant: compared.name.split('.')[0]! }]),
  ];
  const alone = {
    latency: lengths.map(({ length, medianNs, lowNs, highNs }) => ({
      ...pointOf('original', length, medianNs, time),
      low: lowNs / 1e6,
      high: highNs / 1e6,
    })),
    memory: lengths.map(({ length, peakHostBytes }) => pointOf('original', length, peakHostBytes, size)),
  };
  const latency = compared === undefined ? alone.latency : pointsOf(compared.name, compared.latencyNs, time);
  const memory = compared === undefined ? alone.memory : pointsOf(compared.name, compared.peakBytes, size);
  const table: Table = {
    kind: 'table',
    title: 'The model by length',
    columns: numeric(
      'tokens',
      'latency',
      'from',
      'to',
      'peak memory',
      'compared latency: original',
      'compared latency: new',
      'compared peak: original',
      'compared peak: new',
    ),
    rows: lengths.map(({ length, medianNs, lowNs, highNs, peakHostBytes }) => [
      figureCell(length, String),
      ...[medianNs, lowNs, highNs].map((value) => figureCell(value, time)),
      figureCell(peakHostBytes, size),
      figureCell(compared?.latencyNs.base.get(length), time),
      figureCell(compared?.latencyNs.new.get(length), time),
      figureCell(compared?.peakBytes.base.get(length), size),
      figureCell(compared?.peakBytes.new.get(length), size),
    ]),
  };
  const chart = (id: string, title: string, axis: string, measured: ScalingPoint[]): Chart | undefined => {
    const points = measured.filter(({ value, low = value }) => value > 0 && low > 0);
    return points.length === 0 ? undefined : drawn(id, title, axis, points);
  };
  const drawn = (id: string, title: string, axis: string, points: ScalingPoint[]): Chart => ({
    kind: 'chart',
    id,
    title,
    summary: `${points.map(({ label }) => label).join('; ')}.`,
    spec:
      new Set(points.map(({ length }) => length)).size > 1
        ? scalingChart({ title: 'the whole model', axis, series, points })
        : intervalChart({
            title: `the whole model at ${points[0]?.length ?? 0} tokens`,
            axis,
            format: '~s',
            rows: points.map(({ series: name, value, low = value, high = value, label }) => ({
              name,
              value,
              low,
              high,
              label,
              standing: 'plain' as const,
            })),
          }),
    table,
  });
  return {
    id: 'baseline',
    title: 'The whole model, before and after',
    lead:
      compared === undefined
        ? 'The original model.'
        : 'Both lines come from the final comparison, where the two models ran side by side. The table also has the original as it was first measured. The verdict rests on the paired changes.',
    parts: [
      chart('model-latency', 'Latency of the whole model', 'median latency, ms', latency),
      chart('model-memory', 'Peak memory of the whole model', 'peak memory, MB', memory),
    ].filter((part) => part !== undefined),
  };
}

function pointsOf(name: string, sides: Sides, text: (value: number) => string): ScalingPoint[] {
  const of = (series: string, figures: ReadonlyMap<number, number>) =>
    [...figures].map(([length, value]) => pointOf(series, length, value, text));
  return [...of('original', sides.base), ...of(name, sides.new)];
}

/** Nanoseconds as ms, bytes as MB. */
function pointOf(series: string, length: number, value: number, text: (value: number) => string): ScalingPoint {
  return { series, length, value: value / 1e6, label: `${series}, ${length} tokens: ${text(value)}` };
}

/** Wasted attention by site and head, and by how much of the mass is kept. */
export function wasteBySite(lengths: BaselineLengths): Section | undefined {
  const cells = lengths.flatMap(({ length, waste }) =>
    waste.flatMap(({ site, heads }) =>
      heads.flatMap((share, head) =>
        share === null
          ? []
          : [
              {
                row: `site ${site} · ${length}`,
                column: head,
                share,
                label: `site ${site}, head ${head}, ${length} tokens: ${percent(share)} wasted`,
              },
            ],
      ),
    ),
  );
  if (cells.length === 0) return undefined;
  const columns = [...new Set(cells.map(({ column }) => column))].sort((a, b) => a - b);
  const shares = cells.map(({ share }) => share);
  const byHead: Chart = {
    kind: 'chart',
    id: 'waste-by-head',
    title: 'Waste by site and head',
    summary: `Wasted pairs at 95 % of the mass range from ${percent(Math.min(...shares))} to ${percent(Math.max(...shares))} across heads.`,
    spec: heatMapChart({ title: 'site and tokens', columns: 'head', share: 'wasted pairs', cells }),
    table: {
      kind: 'table',
      title: 'Waste by site and head',
      columns: [{ title: 'site and tokens' }, ...numeric(...columns.map((column) => `head ${column}`))],
      rows: [...Map.groupBy(cells, ({ row }) => row)].map(([row, own]) => [
        ...words(row),
        ...columns.map((column) => figureCell(own.find((cell) => cell.column === column)?.share, percent)),
      ]),
    },
  };
  const lead =
    'The share of pairs beyond the smallest sets of keys that hold 95 % of the attention, on one real item per length. It is the most that a sparse variant could leave out.';
  const byKeys = groupTable('Attention by keys', [{ title: 'site' }, ...numeric('tokens')], bySite(lengths));
  return { id: 'waste', title: 'Wasted attention', lead, parts: [byHead, curves(lengths), ...(byKeys.rows.length > 0 ? [byKeys] : [])] };
}

function bySite(lengths: BaselineLengths) {
  return lengths.flatMap(({ length, waste }) =>
    waste.map(({ site, overall: { groups } }) => ({ names: [...words(`site ${site}`), figureCell(length, String)], groups })),
  );
}

function curves(lengths: BaselineLengths): Chart {
  const { length, waste } = lengths.at(-1)!;
  const masses = [
    ['p90', 0.9],
    ['p95', 0.95],
    ['p99', 0.99],
  ] as const;
  const points = waste.flatMap(({ site, overall }) =>
    masses.flatMap(([key, mass]) => {
      const figure = overall.wastedCompute[key];
      return figure === null
        ? []
        : [
            {
              series: `site ${site}`,
              mass,
              waste: figure.value,
              low: figure.low,
              high: figure.high,
              label: `site ${site}: ${percent(figure.value)} wasted when ${percent(mass)} of the mass is kept`,
            },
          ];
    }),
  );
  const variants = ['dense', 'window', 'topk', 'gated', 'hierarchical', 'block-topk'];
  return {
    kind: 'chart',
    id: 'waste-curves',
    title: `Waste by mass kept, at ${length} tokens`,
    summary: `${points
      .filter(({ mass }) => mass === 0.95)
      .map(({ label }) => label)
      .join('; ')}.`,
    spec: wasteCurveChart({
      title: `${length} tokens`,
      series: waste.map(({ site }, index) => ({ name: `site ${site}`, variant: variants[index % variants.length]! })),
      points,
    }),
    table: {
      kind: 'table',
      title: `Waste at ${length} tokens`,
      columns: [{ title: 'site' }, ...numeric('p = 90 %', 'p = 95 %', 'p = 99 %', 'within 64 tokens', 'first token')],
      rows: waste.map(({ site, overall }) => [
        ...words(`site ${site}`),
        ...[...masses.map(([key]) => overall.wastedCompute[key]), overall.localMass, overall.firstTokenMass].map((figure) =>
          figureCell(figure?.value, percent),
        ),
      ]),
    },
  };
}
