import { factor, percent, size, time } from '../../text/figures.ts';
import { paretoFront } from '../../migration/pareto.ts';
import { tradeOffChart } from '../charts/trade-off.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Chart, Section } from '../document.ts';
import { longest } from './measured-cell.ts';
import type { SettingGroup } from './measured-cell.ts';

/** What each kernel costs in dense attention's mass, against its latency and memory, at the greatest length of each setting. */
export function tradeOffSection(groups: readonly SettingGroup[]): Section | undefined {
  const charts = groups.slice(0, 4).flatMap((group, index) => chartOf(group, `trade-off-${index + 1}`) ?? []);
  if (charts.length === 0) return undefined;
  const lead =
    'A single kernel has no task, so missed mass stands in for quality: the share of dense attention that a variant leaves out on these inputs. Use attnswap migrate to see what it costs a model. Filled marks are on the Pareto front: no other kernel is at least as good in latency, memory and missed mass, and better in one of them.';
  return { id: 'trade-off', title: 'Cost and benefit', lead, parts: charts };
}

function chartOf(group: SettingGroup, id: string): Chart | undefined {
  const cells = longest(group).flatMap(({ name, medianNs, peakBytes, waste, speedUp }) => {
    const missed = waste?.overall.missedMass?.value;
    return medianNs === undefined || peakBytes === undefined || missed === undefined
      ? []
      : [{ name, medianNs, peakBytes, missed, speedUp }];
  });
  if (cells.length < 2) return undefined;
  const objectives = (['medianNs', 'peakBytes', 'missed'] as const).map((name) => ({ name, goal: 'minimise' as const }));
  const front = new Set(
    paretoFront(
      cells.map(({ name, medianNs, peakBytes, missed }) => ({ name, figures: { medianNs, peakBytes, missed } })),
      objectives,
    ).front.map(({ name }) => name),
  );
  const length = group.lengths.at(-1)!;
  const points = cells.map(({ name, medianNs, peakBytes, missed }) => ({
    series: name,
    x: medianNs / 1e6,
    y: missed,
    size: peakBytes / 1e6,
    front: front.has(name),
    label: `${name}: ${time(medianNs)}, ${size(peakBytes)}, ${percent(missed)} missed${front.has(name) ? ', on the front' : ''}`,
  }));
  return {
    kind: 'chart',
    id,
    title: `${group.setting} · ${length} tokens`,
    summary: `Pareto front: ${cells
      .filter(({ name }) => front.has(name))
      .map(({ name, medianNs, missed }) => `${name} (${time(medianNs)}, ${percent(missed)} missed)`)
      .join('; ')}.`,
    spec: tradeOffChart({
      title: `${group.setting} · ${length} tokens`,
      x: 'median latency, ms',
      y: 'missed mass',
      size: 'peak memory, MB',
      logarithmicX: true,
      series: group.series,
      points,
    }),
    table: {
      kind: 'table',
      title: `Trade-off at ${length} tokens`,
      columns: [{ title: 'kernel' }, ...numeric('latency', 'speed-up', 'peak memory', 'missed mass'), { title: 'front' }],
      rows: cells.map(({ name, medianNs, peakBytes, missed, speedUp }) => [
        ...words(name),
        figureCell(medianNs, time),
        figureCell(speedUp, factor),
        figureCell(peakBytes, size),
        figureCell(missed, percent),
        ...words(front.has(name) ? 'yes' : ''),
      ]),
    },
  };
}
