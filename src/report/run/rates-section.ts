import { digits, percent } from '../../text/figures.ts';
import type { RunRecord } from '../../contract/run.ts';
import { clip } from '../../text/layout.ts';
import { oneLine } from '../../text/untrusted.ts';
import { rooflineChart } from '../charts/roofline.ts';
import { figureCell, words } from '../document.ts';
import type { Chart, Section } from '../document.ts';
import { longest } from './measured-cell.ts';
import type { MeasuredCell, SettingGroup } from './measured-cell.ts';

/** How fast each kernel computes, against what the backend's own operators reach on this machine. */
export function ratesSection(groups: readonly SettingGroup[], { ceilings }: RunRecord): Section | undefined {
  const charts = groups.slice(0, 4).flatMap((group, index) => chartOf(group, ceilings, `rates-${index + 1}`) ?? []);
  if (charts.length === 0) return undefined;
  const known = Object.entries(ceilings).flatMap(([backend, found]) =>
    found.map(
      ({ kind, perSecond, what }) =>
        `${clip(oneLine(backend), 60)}: ${digits(perSecond / 1e9)} ${kind === 'flops' ? 'GFLOP/s' : 'GB/s'}, ${clip(oneLine(what), 200)}`,
    ),
  );
  const lead =
    known.length === 0
      ? 'The kernel’s operations divided by its median latency. The ceilings of the machine were not measured.'
      : 'The kernel’s operations divided by its median latency, against the highest rates that the backend’s own operators reached on this machine (a roofline). Bytes are the least that must move. A kernel far below the roof spends its time on something else; a small problem that stays in cache can lie above the slope.';
  return {
    id: 'rates',
    title: 'Achieved rates and machine ceilings',
    lead,
    parts: [...charts, ...(known.length > 0 ? [{ kind: 'notes' as const, lines: known }] : [])],
  };
}

function chartOf(group: SettingGroup, ceilings: RunRecord['ceilings'], id: string): Chart | undefined {
  const rated = group.cells.flatMap((measured) => {
    const { work } = measured.cell;
    return work === undefined || measured.medianNs === undefined || work.bytes <= 0 || work.flops <= 0
      ? []
      : [{ ...measured, ...rateOf(measured) }];
  });
  if (rated.length === 0) return undefined;
  const { backend, shape } = rated[0]!.cell;
  // The probes compute in f32: another type has other ceilings.
  const own = shape.dtype === 'f32' && Object.hasOwn(ceilings, backend) ? ceilings[backend]! : [];
  const of = (kind: 'flops' | 'bytes') => {
    const found = own.filter((ceiling) => ceiling.kind === kind).map(({ perSecond }) => perSecond);
    return found.length === 0 ? undefined : Math.max(...found);
  };
  const [flops, bytes] = [of('flops'), of('bytes')];
  const roof = flops === undefined || bytes === undefined ? null : { rate: flops / 1e9, bandwidth: bytes / 1e9 };
  const share = (rate: number) => (flops === undefined ? undefined : (1e9 * rate) / flops);
  const last = rated.filter((each) => longest(group).some(({ cell }) => cell.id === each.cell.id)).toSorted((a, b) => b.rate - a.rate);
  const points = rated.map(({ name, length, intensity, rate }) => ({
    series: name,
    intensity,
    rate,
    label: `${name}, ${length} tokens: ${digits(rate)} GFLOP/s${flops === undefined ? '' : `, ${percent(share(rate)!)} of the ceiling`}`,
  }));
  return {
    kind: 'chart',
    id,
    title: group.setting,
    summary: `At ${group.lengths.at(-1)!} tokens: ${last.map(({ name, rate }) => `${name} ${digits(rate)} GFLOP/s${flops === undefined ? '' : ` (${percent(share(rate)!)} of the ceiling)`}`).join('; ')}.`,
    spec: rooflineChart({ title: group.setting, series: group.series, points, ceilings: roof }),
    table: {
      kind: 'table',
      title: 'Rates',
      columns: [
        { title: 'kernel' },
        ...['tokens', 'GFLOP/s', 'of the ceiling', 'operations per byte'].map((title) => ({ title, numeric: true })),
      ],
      rows: rated.map(({ name, length, rate, intensity }) => [
        ...words(name),
        { text: String(length), value: length },
        figureCell(rate, digits),
        figureCell(share(rate), percent),
        figureCell(intensity, digits),
      ]),
    },
  };
}

function rateOf({ cell, medianNs }: MeasuredCell): { rate: number; intensity: number } {
  const { flops, bytes } = cell.work!;
  return { rate: flops / medianNs!, intensity: flops / bytes };
}
