import { digits, percent } from '../../text/figures.ts';
import type { CellRecord } from '../../contract/cell.ts';
import type { RunRecord } from '../../contract/run.ts';
import { clip } from '../../text/layout.ts';
import { oneLine } from '../../text/untrusted.ts';
import { variants } from '../../variants/index.ts';
import { nameOf } from '../cell-facts.ts';
import { rooflineChart } from '../charts/roofline.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Chart, Section } from '../document.ts';
import type { MeasuredCell, SettingGroup } from './measured-cell.ts';

/** How fast each kernel computes, against what the backend's own operators reach on this machine. */
export function ratesSection(groups: readonly SettingGroup[], run: RunRecord): Section | undefined {
  const { ceilings } = run;
  const charts = groups.slice(0, 4).flatMap((group, index) => chartOf(group, run, `rates-${index + 1}`) ?? []);
  if (charts.length === 0) return undefined;
  const known = Object.entries(ceilings).flatMap(([backend, found]) =>
    found.map(
      ({ kind, perSecond, what }) =>
        `${clip(oneLine(backend), 60)}: ${digits(perSecond / 1e9)} ${kind === 'flops' ? 'GFLOP/s' : 'GB/s'}, ${clip(oneLine(what), 200)}`,
    ),
  );
  const reference = clip(oneLine(run.suite.reference), 60);
  const ideal = ` The ideal is the speed-up over ${reference} if time followed the operations that the variant needs: a kernel below it computes more pairs, or computes them more slowly.`;
  const lead =
    known.length === 0
      ? 'The kernel’s operations divided by its median latency. The ceilings of the machine were not measured.'
      : 'The kernel’s operations divided by its median latency, against the highest rates that the backend’s own operators reached on this machine (a roofline). Bytes are the least that must move. A kernel far below the roof spends its time on something else; a small problem that stays in cache can lie above the slope.';
  return {
    id: 'rates',
    title: 'Achieved rates and machine ceilings',
    lead: lead + ideal,
    parts: [...charts, ...(known.length > 0 ? [{ kind: 'notes' as const, lines: known }] : [])],
  };
}

function chartOf(group: SettingGroup, { ceilings, suite }: RunRecord, id: string): Chart | undefined {
  const rated = group.cells.flatMap((measured) => {
    const { work } = measured.cell;
    return work === undefined || measured.medianNs === undefined || work.bytes <= 0 || work.flops <= 0
      ? []
      : [{ ...measured, ...rateOf(measured), ideal: idealShare(measured, group, suite.reference) }];
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
  const last = rated.filter(({ length }) => length === group.lengths.at(-1)).toSorted((a, b) => b.rate - a.rate);
  const shares = ({ rate, ideal }: (typeof rated)[number]) =>
    [
      ...(flops === undefined ? [] : [`${percent(share(rate)!)} of the ceiling`]),
      ...(ideal === undefined ? [] : [`${percent(ideal)} of the ideal`]),
    ].join(', ');
  const points = rated.map((each) => ({
    series: each.name,
    intensity: each.intensity,
    rate: each.rate,
    label: [`${each.name}, ${each.length} tokens: ${digits(each.rate)} GFLOP/s`, shares(each)].filter(Boolean).join(', '),
  }));
  return {
    kind: 'chart',
    id,
    title: group.setting,
    summary: `At ${group.lengths.at(-1)!} tokens: ${last.map((each) => `${each.name} ${digits(each.rate)} GFLOP/s${shares(each) === '' ? '' : ` (${shares(each)})`}`).join('; ')}.`,
    spec: rooflineChart({ title: group.setting, series: group.series, points, ceilings: roof }),
    table: {
      kind: 'table',
      title: 'Rates',
      columns: [{ title: 'kernel' }, ...numeric('tokens', 'GFLOP/s', 'of the ceiling', 'of the ideal', 'operations per byte')],
      rows: rated.map(({ name, length, rate, intensity, ideal }) => [
        ...words(name),
        figureCell(length, String),
        figureCell(rate, digits),
        figureCell(share(rate), percent),
        figureCell(ideal, percent),
        figureCell(intensity, digits),
      ]),
    },
  };
}

function rateOf({ cell, medianNs }: MeasuredCell): { rate: number; intensity: number } {
  const { flops, bytes } = cell.work!;
  return { rate: flops / medianNs!, intensity: flops / bytes };
}

/**
 * A kernel's speed-up over the reference cell, as a share of what it would be if time followed the operations that each variant needs: 1 for
 * the reference itself. Undefined where one of the two was not timed, or is of a variant that is not known here.
 */
function idealShare({ cell, length, speedUp }: MeasuredCell, group: SettingGroup, reference: string): number | undefined {
  const base = group.cells.find((each) => each.length === length && nameOf(each.cell) === reference);
  const [own, whole] = [neededFlops(cell), base && neededFlops(base.cell)];
  return speedUp === null || own === undefined || !whole ? undefined : (speedUp * own) / whole;
}

/** Of a kernel that computes no pair more than the variant needs. */
function neededFlops({ variant, shape }: CellRecord): number | undefined {
  const known = variants.find(({ name }) => name === variant.name);
  const read = known?.parameters.read(variant.params);
  return read !== undefined && 'parameters' in read ? known!.cost(read.parameters, shape).flops : undefined;
}
