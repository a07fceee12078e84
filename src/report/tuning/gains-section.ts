import { factor, percent } from '../../text/figures.ts';
import { withinPeakNoise } from '../../decide/rule.ts';
import { tradeOffChart } from '../charts/trade-off.ts';
import type { TradeOffPoint } from '../charts/trade-off.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Chart, Section, Table } from '../document.ts';
import { scoreCell } from './measure.ts';
import { meanTest } from './tuning-view.ts';
import type { NamedCandidate, TuningView } from './tuning-view.ts';

/** What each tuned attention loses in score, against the pairs and the time that it saves. */
export function gainsSection(view: TuningView): Section | undefined {
  const points = pointsOf(view);
  if (points.length < 2) return undefined;
  const lead =
    'Filled marks are on the Pareto front: no other variant is at least as good in score, latency, peak memory and pairs, and better in one of them. Changes in latency or memory count only if they are shown. Pairs follow from the definition of the variant; latency depends on this host, length and kernel.';
  return { id: 'trade-off', title: 'Cost and benefit', lead, parts: [gainsChart(view, points)] };
}

function pointsOf(view: TuningView): TradeOffPoint[] {
  const { record, baseline, candidates } = view;
  const first = { series: baseline, x: 100, y: 0, size: 100, front: record.front.includes(record.settings.baseline) };
  const others = candidates.flatMap((candidate) => pointOf(view, candidate) ?? []);
  return [{ ...first, label: `${baseline}: the baseline` }, ...others];
}

function pointOf({ record, measure }: TuningView, { name, found }: NamedCandidate): TradeOffPoint | undefined {
  const { difference, latency, weightedShare, candidate } = found;
  const ratio = 1 + (latency.effect?.estimate ?? Number.NaN);
  if (difference.mean === null || !(ratio >= 0 && ratio < 1e6)) return undefined;
  const said = `${measure.differenceText(difference.mean)}, ${percent(weightedShare)} of the pairs, latency ${factor(ratio)}`;
  return {
    series: name,
    x: 100 * weightedShare,
    y: -measure.differenceShown(difference.mean),
    size: 100 * ratio,
    front: record.front.includes(candidate),
    label: `${name}: ${said}`,
  };
}

function gainsChart(view: TuningView, points: readonly TradeOffPoint[]): Chart {
  const { measure, series, candidates } = view;
  const drawn = new Set(points.map((point) => point.series));
  const left = candidates.flatMap(({ name }) => (drawn.has(name) ? [] : [name]));
  const front = points.filter((point) => point.front).map(({ label }) => label);
  const unit = measure.differenceUnit === 'bits saved' ? 'bits' : measure.differenceUnit;
  return {
    kind: 'chart',
    id: 'score-lost',
    title: 'Score lost against weighted pairs',
    summary: `${front.length === 0 ? 'The record does not name a front' : `Pareto front: ${front.join('; ')}`}.${left.length === 0 ? '' : ` Not shown, because a figure is missing: ${left.join(', ')}.`}`,
    spec: tradeOffChart({
      title: 'relative to the baseline; lower left is better',
      x: 'weighted pairs, % of dense attention’s',
      y: `score lost, ${unit}`,
      size: 'latency, % of the baseline’s',
      logarithmicX: false,
      series: series.filter(({ name }) => drawn.has(name)),
      points,
    }),
    table: gainsTable(view),
  };
}

function gainsTable({ record, measure, baseline, candidates }: TuningView): Table {
  const onFront = (name: string) => words(record.front.includes(name) ? 'yes' : '');
  return {
    kind: 'table',
    title: 'Trade-off',
    columns: [{ title: 'attention' }, ...numeric('pairs', 'mean score', 'latency', 'peak memory'), { title: 'front' }],
    rows: [
      [
        ...words(baseline),
        figureCell(1, percent),
        scoreCell(measure, meanTest(record.baseline)),
        figureCell(1, factor),
        figureCell(1, factor),
        ...onFront(record.settings.baseline),
      ],
      ...candidates.map(({ name, found: { candidate, weightedShare, finalists, latency, memory } }) => [
        ...words(name),
        figureCell(weightedShare, percent),
        scoreCell(measure, meanTest(finalists)),
        figureCell(latency.effect && 1 + latency.effect.estimate, factor),
        withinPeakNoise(memory) ? { text: '< 1 MiB apart' } : figureCell(memory.effect && 1 + memory.effect.estimate, factor),
        ...onFront(candidate),
      ]),
    ],
  };
}
