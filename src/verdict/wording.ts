import { count, digits, factor, fixed, percent, size, time } from '../text/figures.ts';
import type { Comparison, Effect, Metric, Verdict } from '../contract/verdict.ts';
import { oneLine } from '../text/untrusted.ts';

export const metricNames: Readonly<Record<Metric, string>> = {
  latency: 'latency',
  'cpu-time': 'CPU time',
  'peak-memory': 'peak memory',
  'memory-growth': 'memory growth',
  waste: 'waste',
  error: 'error',
  'scored-pairs': 'scored pairs',
  'ratio-to-reference': 'ratio',
  quality: 'quality',
};

/** A figure in the unit that reads best for it, or for `like`. */
export function figure(value: number, unit: string, like = value): string {
  if (unit === 'ns') return time(value, like);
  if (unit === 'bytes') return size(value, like);
  if (unit === 'pairs') return count(value);
  if (unit === 'share') return percent(value);
  return unit === 'ratio' || unit === 'factor per doubling' ? factor(value) : digits(value);
}

/**
 * The new figure. Where the change was measured in pairs it is the base's times that change: the medians of the two sides alone may say the
 * opposite of their paired ratios.
 */
export function pairedNew({ base, new: fresh, effect }: Comparison): number | null {
  return base !== null && fresh !== null && effect !== null && effect.low !== effect.high ? base * (1 + effect.estimate) : fresh;
}

/** `12.3 → 12.7 ms`, in one unit where they are within a factor of 10; a missing side is `–`, and '' where both are. */
export function baseToNew(comparison: Comparison): string {
  const { base, unit } = comparison;
  const fresh = pairedNew(comparison);
  if (base === null && fresh === null) return '';
  const smaller = Math.min(base ?? Infinity, fresh ?? Infinity);
  const text = (value: number | null) => (value === null ? '–' : figure(value, unit, value < 10 * smaller ? smaller : value));
  const [from, to] = [text(base), text(fresh)];
  const shared = / \S+$/.exec(to)?.[0];
  return `${shared !== undefined && from.endsWith(shared) ? from.slice(0, -shared.length) : from} → ${to}`;
}

/** `+3.2 % [1.1, 5.4]`; without an interval where the figures carry no noise. */
export function changeText({ estimate, low, high }: Effect): string {
  const exact = low === high;
  const change = `${estimate > 0 ? '+' : ''}${points(estimate, exact)} %`;
  return exact ? change : `${change} [${points(low)}, ${points(high)}]`;
}

export function marginText(margin: number): string {
  return `${Number((100 * margin).toPrecision(3))} %`;
}

/** Figures, change, margin and blocks on one line; '' where there is none of them. */
export function measured(comparison: Comparison): string {
  const { effect, margin, blocks } = comparison;
  const figures = baseToNew(comparison);
  if (figures === '') return '';
  const parts = [figures, effect === null ? '' : changeText(effect), `margin ${marginText(margin)}`, blocksText(blocks.length)];
  return parts.filter((part) => part !== '').join(', ');
}

/** What an outcome alone does not tell: which way a change went that the margin lets pass. */
export function aside({ metric, direction, outcome, effect }: Comparison): string {
  if (effect === null || outcome !== 'pass') return '';
  const [rose, fell] = [effect.low > 0, effect.high < 0];
  if (!rose && !fell) return '';
  const worse = rose === (direction === 'lower');
  if (metric === 'latency' && direction === 'lower') return worse ? 'slower, within the margin' : 'faster';
  return worse ? 'worse, within the margin' : 'better';
}

/** The outcome, which way a change went, and whether it decides: `pass (slower, within the margin)`. */
export function outcomeText(comparison: Comparison): string {
  const { outcome, decides, onInconclusive } = comparison;
  const remarks = [
    aside(comparison),
    outcome === 'inconclusive' && onInconclusive === 'pass' ? 'allowed by the gate' : '',
    decides ? '' : 'informational',
  ];
  const told = remarks.filter((remark) => remark !== '');
  return told.length === 0 ? outcome : `${outcome} (${told.join('; ')})`;
}

/** The name of each comparison, and what tells its cell from the others': `window.tiled q4096`. */
export function labelsOf(comparisons: readonly Comparison[]): Map<Comparison, string> {
  const cells = comparisons.map(({ cell }) => cell.split(' ').slice(1));
  const shared = new Set(cells[0]?.filter((word) => cells.every((words) => words.includes(word))));
  const labels = comparisons.map(({ name, cell }, index): [Comparison, string] => {
    const said = new Set(name.split(' '));
    const telling =
      name === cell ? [] : cells[index]!.filter((word, _, words) => !shared.has(word) && !said.has(word) && !repeatsQueries(word, words));
    return [comparisons[index]!, oneLine([name, ...telling].join(' '))];
  });
  return new Map(labels);
}

/** Every warning once, those of the whole first, with the number of comparisons that it is about. */
export function warningsOf({ warnings, comparisons }: Verdict): string[] {
  const counts = new Map<string, number>();
  for (const { warnings: own } of comparisons) for (const text of own) counts.set(text, (counts.get(text) ?? 0) + 1);
  const about = [...counts].map(([text, times]) => (times === 1 ? text : `${text} (${times} comparisons)`));
  return [...new Set([...warnings, ...about])].map(oneLine);
}

function blocksText(blocks: number): string {
  return blocks === 0 ? '' : `${blocks} block${blocks === 1 ? '' : 's'}`;
}

/** `k512` beside `q512` says nothing more. */
function repeatsQueries(word: string, words: readonly string[]): boolean {
  return /^k\d+$/.test(word) && words.includes(`q${word.slice(1)}`);
}

/** A share in per cent with a proper minus, without the sign of a zero. */
function points(share: number, exact = false): string {
  const value = 100 * share;
  const short = Math.abs(value) >= 1000 || (exact && Math.abs(value) < 100);
  return short ? digits(value) : fixed(value, Math.abs(value) >= 100 ? 0 : 1);
}
