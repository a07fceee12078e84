import type { Comparison } from '../../contract/verdict.ts';
import { levelOf, worstFirst } from '../../verdict/standing.ts';
import { clip, shorten } from '../../text/layout.ts';
import { oneLine } from '../../text/untrusted.ts';
import { baseToNew, changeText, labelsOf, marginText, metricNames, outcomeText } from '../../verdict/wording.ts';
import { numbered } from '../comparison/column-names.ts';
import { intervalChart } from '../charts/intervals.ts';
import type { IntervalRow } from '../charts/intervals.ts';
import { figureCell, numeric, words } from '../document.ts';
import type { Chart, Section, Standing, Table, TableCell } from '../document.ts';

/** Comparisons that are drawn: the worst; the table has all. */
const mostDrawn = 60;

/** Every comparison: change with interval and margin, then all its figures and its reason. */
export function changesSection(comparisons: readonly Comparison[]): Section {
  const sorted = worstFirst(comparisons);
  const found = labelsOf(sorted);
  const labels = new Map(sorted.map((comparison) => [comparison, shorten(found.get(comparison)!, 60)]));
  const chart = forest(sorted, labels, 'changes');
  return {
    id: 'changes',
    title: 'Changes',
    lead: 'New relative to base, worst first. The bar is the interval and the tick is the margin; a comparison passes if its whole interval is on the better side of the margin.',
    parts: [...(chart === undefined ? [] : [chart]), changesTable(sorted, labels)],
  };
}

/** A forest plot of the comparisons that have an interval; undefined where none has. */
function forest(comparisons: readonly Comparison[], labels: ReadonlyMap<Comparison, string>, id: string): Chart | undefined {
  const noisy = comparisons.filter(({ effect }) => effect !== null && effect.low !== effect.high);
  if (noisy.length === 0) return undefined;
  const drawn = noisy.slice(0, mostDrawn);
  const names = numbered(drawn.map((comparison) => `${labels.get(comparison)!} · ${metricNames[comparison.metric]}`));
  const rows = drawn.map((comparison, index) => rowOf(comparison, names[index]!));
  const more = noisy.length > mostDrawn ? ` The chart shows the first ${mostDrawn} of ${noisy.length}.` : '';
  return {
    kind: 'chart',
    id,
    title: 'Change with interval and margin',
    summary: `${rows
      .slice(0, 8)
      .map(({ label }) => label)
      .join('; ')}${rows.length > 8 ? '; and more in the table' : ''}.${more}`,
    spec: intervalChart({ title: 'new relative to base', axis: 'change', rows, neutral: 0, format: '+.0%' }),
    table: changesTable(drawn, labels),
  };
}

function rowOf(comparison: Comparison, name: string): IntervalRow {
  const { effect, margin, direction, outcome } = comparison;
  const { estimate, low, high } = effect!;
  return {
    name,
    value: estimate,
    low,
    high,
    standing: standingOf(comparison),
    label: `${name}: ${changeText(effect!)}, ${outcome}`,
    ...(margin > 0 && { margin: direction === 'lower' ? margin : -margin }),
  };
}

/** How a comparison reads at a glance: a pass is plain, as nothing changed. */
export function standingOf(comparison: Comparison): Standing {
  if (comparison.outcome === 'improvement') return 'good';
  if (comparison.outcome === 'pass') return 'plain';
  return levelOf(comparison) === 'error' ? 'bad' : 'unsure';
}

function changesTable(comparisons: readonly Comparison[], labels: ReadonlyMap<Comparison, string>): Table {
  return {
    kind: 'table',
    title: 'Comparisons',
    columns: [
      { title: 'comparison' },
      { title: 'metric' },
      { title: 'outcome' },
      ...numeric('base → new', 'change', 'margin', 'floor', 'detectable', 'blocks'),
      { title: 'why' },
    ],
    rows: comparisons.map((comparison) => row(comparison, labels.get(comparison)!)),
  };
}

function row(comparison: Comparison, label: string): TableCell[] {
  const { metric, effect, margin, floor, minimumDetectableEffect, blocks, reason, owner } = comparison;
  const share = (value: number | null): TableCell => (value === null ? { text: '–' } : { text: marginText(value), value });
  const whom = owner === null ? '' : ` Owner: ${owner}.`;
  return [
    ...words(label, metricNames[metric]),
    { text: outcomeText(comparison), standing: standingOf(comparison) },
    { text: baseToNew(comparison) || '–', ...(comparison.new !== null && { value: comparison.new }) },
    effect === null ? { text: '–' } : { text: changeText(effect), value: effect.estimate },
    share(margin),
    share(floor),
    share(minimumDetectableEffect),
    figureCell(blocks.length, String),
    { text: clip(oneLine(reason + whom), 600) },
  ];
}
