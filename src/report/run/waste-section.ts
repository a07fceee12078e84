import { percent } from '../../text/figures.ts';
import type { WasteFigure } from '../../waste/schema.ts';
import { heatMapChart } from '../charts/heat-map.ts';
import { wasteCurveChart } from '../charts/waste-curves.ts';
import type { WastePoint } from '../charts/waste-curves.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Chart, Section, TableCell } from '../document.ts';
import { longest } from './measured-cell.ts';
import type { MeasuredCell, SettingGroup } from './measured-cell.ts';

const masses = [
  ['p90', 0.9],
  ['p95', 0.95],
  ['p99', 0.99],
] as const;

/** Wasted attention at the greatest length of each setting: by how much of the mass is kept, and by head. */
export function wasteSection(groups: readonly SettingGroup[]): Section | undefined {
  const drawn = groups.filter((group) => longest(group).some(({ waste }) => waste !== null)).slice(0, 4);
  const charts = drawn.flatMap((group, index) => [curves(group, index), heads(group, index)]).filter((chart) => chart !== undefined);
  if (charts.length === 0) return undefined;
  const lead =
    'The share of pairs beyond the smallest sets of keys that hold a share p of the weight. The curves count the pairs that the kernel computes; ' +
    'the map counts the pairs that the mask allows, at p = 95 %. Missed mass is the share of dense attention’s weight on keys that the variant does not see.';
  return { id: 'waste', title: 'Wasted attention', lead, parts: charts };
}

function curves(group: SettingGroup, index: number): Chart {
  const cells = longest(group).filter(({ waste }) => waste !== null);
  const points = cells.flatMap(({ name, waste }) =>
    masses.flatMap(([key, mass]): WastePoint[] => {
      const figure = waste!.overall.kernelWaste[key] ?? waste!.overall.wastedCompute[key];
      if (figure === null) return [];
      const { value, low, high } = figure;
      return [
        {
          series: name,
          mass,
          waste: value,
          low,
          high,
          label: `${name}: ${percent(value)} wasted when ${percent(mass)} of the mass is kept`,
        },
      ];
    }),
  );
  const length = group.lengths.at(-1)!;
  const told = cells.map(({ name, waste }) => `${name} ${shareText(waste!.overall.kernelWaste.p95 ?? waste!.overall.wastedCompute.p95)}`);
  return {
    kind: 'chart',
    id: `waste-curves-${index + 1}`,
    title: `By mass kept: ${group.setting} · ${length} tokens`,
    summary: `Wasted pairs when 95 % of the mass is kept: ${told.join('; ')}.`,
    spec: wasteCurveChart({
      title: `By mass kept: ${group.setting} · ${length} tokens`,
      series: group.series.filter(({ name }) => cells.some((cell) => cell.name === name)),
      points,
    }),
    table: {
      kind: 'table',
      title: `Waste at ${length} tokens`,
      columns: [{ title: 'kernel' }, ...numeric('p = 90 %', 'p = 95 %', 'p = 99 %', 'missed mass', 'in pooled blocks', 'first token')],
      rows: cells.map(wasteRow),
    },
  };
}

function wasteRow({ name, waste }: MeasuredCell): TableCell[] {
  const { kernelWaste, wastedCompute, missedMass, pooledMass, firstTokenMass } = waste!.overall;
  const figures = [...masses.map(([key]) => kernelWaste[key] ?? wastedCompute[key]), missedMass, pooledMass, firstTokenMass];
  return [...words(name), ...figures.map((figure) => figureCell(figure?.value, percent))];
}

function heads(group: SettingGroup, index: number): Chart | undefined {
  const length = group.lengths.at(-1)!;
  const cells = longest(group).flatMap(({ name, waste }) =>
    (waste?.heads ?? []).flatMap(({ head, figures }) => {
      const share = figures.wastedCompute.p95?.value;
      return share === undefined ? [] : [{ row: name, column: head, share, label: `${name}, head ${head}: ${percent(share)} wasted` }];
    }),
  );
  if (cells.length === 0) return undefined;
  const shares = cells.map(({ share }) => share);
  const columns = [...new Set(cells.map(({ column }) => column))].sort((a, b) => a - b);
  const rows = [...Map.groupBy(cells, ({ row }) => row)].map(([row, own]) => [
    ...words(row),
    ...columns.map((column) => figureCell(own.find((cell) => cell.column === column)?.share, percent)),
  ]);
  return {
    kind: 'chart',
    id: `waste-heads-${index + 1}`,
    title: `By head: ${group.setting} · ${length} tokens`,
    summary: `Wasted pairs at 95 % of the mass range from ${percent(Math.min(...shares))} to ${percent(Math.max(...shares))} across heads.`,
    spec: heatMapChart({ title: `By head: ${group.setting} · ${length} tokens`, columns: 'head', share: 'wasted pairs', cells }),
    table: {
      kind: 'table',
      title: `Waste by head at ${length} tokens`,
      columns: [{ title: 'kernel' }, ...numeric(...columns.map((column) => `head ${column}`))],
      rows,
    },
  };
}

function shareText(figure: WasteFigure | null): string {
  return figure === null ? '–' : percent(figure.value);
}
