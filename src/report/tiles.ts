import type { Comparison, Metric } from '../contract/verdict.ts';
import { digits } from '../text/figures.ts';
import { clip } from '../text/layout.ts';
import { worstFirst } from '../verdict/standing.ts';
import { oneLine } from '../text/untrusted.ts';
import { baseToNew, changeText, labelsOf, marginText, metricNames, outcomeText } from '../verdict/wording.ts';
import type { Standing, Tile } from './document.ts';
import { standingOf } from './verdict/changes-section.ts';

/** The figures of the first screen, in this order. */
const tileMetrics = [
  { name: 'Latency', metrics: ['latency', 'cpu-time', 'ratio-to-reference'] },
  { name: 'Peak memory', metrics: ['peak-memory', 'memory-growth'] },
  { name: 'Quality', metrics: ['quality', 'error', 'waste', 'scored-pairs'] },
] as const satisfies ReadonlyArray<{ name: string; metrics: readonly Metric[] }>;

/** Latency, peak memory and quality of some comparisons: of each the worst, and what was not compared. */
export function comparisonTiles(comparisons: readonly Comparison[]): Tile[] {
  const labels = labelsOf(comparisons);
  const sorted = worstFirst(comparisons);
  return tileMetrics.map(({ name, metrics }) => {
    const own = metrics.map((metric) => sorted.filter((comparison) => comparison.metric === metric)).find((found) => found.length > 0);
    if (own === undefined) return emptyTile(name, 'not compared');
    const [worst] = own as [Comparison];
    const what = metricNames[worst.metric];
    const label = clip(labels.get(worst)!, 60);
    const beside = own.length === 1 ? label : `${label}, the worst of ${own.length}`;
    return comparisonTile(name, what === name.toLowerCase() ? beside : `${what}, ${beside}`, worst);
  });
}

/** A tile of one comparison; `of` says at which length, or of which kernel. */
export function comparisonTile(name: string, of: string, comparison: Comparison | null | undefined): Tile {
  if (comparison === null || comparison === undefined) return emptyTile(name, 'not compared');
  const { effect, margin, direction, metric } = comparison;
  const allowed = metric === 'ratio-to-reference' && effect === null ? '' : `, margin ${marginText(margin)}`;
  const tile: Tile = {
    name,
    of,
    figures: baseToNew(comparison) || 'no figure',
    change: effect === null ? '' : changeText(effect),
    note: `${outcomeText(comparison)}${allowed}`,
    standing: standingOf(comparison),
  };
  if (effect === null || effect.low === effect.high) return tile;
  const { low, estimate, high } = effect;
  const signed = direction === 'lower' ? margin : -margin;
  return {
    ...tile,
    bar: { low, estimate, high, margin: margin > 0 ? signed : null, marginText: `${signed > 0 ? '+' : '−'}${marginText(margin)}` },
  };
}

/** Mean scores before and after; higher is better. */
export interface ScoreChange {
  readonly of: string;
  readonly base: number | null;
  readonly new: number | null;
  readonly difference: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** The largest loss that passes, above 0. */
  readonly margin: number;
  readonly outcome: 'pass' | 'regression' | 'inconclusive';
  /** What the outcome rests on, where it is not the interval shown. */
  readonly judgedBy?: string;
  text(score: number): string;
  differenceText(difference: number): string;
}

const outcomeStandings: Readonly<Record<ScoreChange['outcome'], Standing>> = { pass: 'good', regression: 'bad', inconclusive: 'unsure' };

/** A tile of a task's scores. */
export function scoreTile(score: ScoreChange): Tile {
  const { of, base, difference, low, high, margin, outcome, judgedBy, text, differenceText } = score;
  if (base === null || score.new === null || difference === null) return { ...emptyTile('Quality', 'no score'), of };
  const interval = low === null || high === null ? '' : ` [${differenceText(low)}, ${differenceText(high)}]`;
  const bar =
    low === null || high === null ? {} : { bar: { low, estimate: difference, high, margin: -margin, marginText: differenceText(-margin) } };
  return {
    name: 'Quality',
    of,
    figures: `${text(base)} → ${text(score.new)}`,
    change: `${differenceText(difference)}${interval}`,
    note: `${outcome}${judgedBy === undefined ? '' : ` (${judgedBy})`}, margin ${differenceText(-margin)}`,
    standing: outcomeStandings[outcome],
    ...bar,
  };
}

/** A tile of quality that no task scores. */
export function driftTile(
  of: string,
  { outcome, reason, marginsLost }: { outcome: ScoreChange['outcome']; reason: string; marginsLost: number | null },
): Tile {
  const lost = marginsLost === null ? 'lost without measure' : `${digits(Math.max(0, marginsLost))} of the margin used`;
  return {
    name: 'Quality',
    of,
    figures: lost,
    change: '',
    note: `${outcome}: ${clip(oneLine(reason), 200)}`,
    standing: outcomeStandings[outcome],
  };
}

/** A tile of one figure, with nothing to compare it with. */
export function plainTile(name: string, of: string, figures: string, note = ''): Tile {
  return { name, of, figures, change: '', note, standing: 'plain' };
}

export function emptyTile(name: string, why: string): Tile {
  return plainTile(name, '', why);
}
