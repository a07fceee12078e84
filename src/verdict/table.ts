import { table } from '../text/layout.ts';
import type { Comparison, Metric, Verdict } from '../contract/verdict.ts';
import { hostLine } from './host-line.ts';
import { worstFirst } from './standing.ts';
import { clip, shorten, wrap } from '../text/layout.ts';
import { inert, oneLine } from '../text/untrusted.ts';
import { aside, baseToNew, changeText, labelsOf, marginText, metricNames, warningsOf } from './wording.ts';

const width = 100;
const heading = ['comparison', 'metric', 'base → new', 'change', 'margin', 'blocks', 'outcome'];
/** A column's worth of the longer names of metrics. */
const shortNames: Partial<Record<Metric, string>> = { 'peak-memory': 'memory', 'memory-growth': 'growth', 'scored-pairs': 'pairs' };
/** A name is not cut shorter than this, whatever the width. */
const leastName = 16;
/** Comparisons with the same reason that are named. */
const mostNamed = 3;

/** The verdict for a terminal of 100 columns: its sentence, a row a comparison, then what needs saying about them. */
export function verdictTable(verdict: Verdict): string {
  const comparisons = worstFirst(verdict.comparisons);
  const labels = labelsOf(comparisons);
  const blocks = [wrap(clip(oneLine(verdict.summary), 2000), width)];
  if (comparisons.length > 0) blocks.push(rows(comparisons, labels).split('\n'));
  const notes = [...reasons(comparisons, labels), ...asides(comparisons, labels), ...warningsOf(verdict).map((text) => `warning: ${text}`)];
  if (comparisons.some(({ decides }) => !decides)) notes.push('*: informational; does not affect the verdict.');
  blocks.push(
    notes.flatMap((note) => wrap(clip(note, 1500), width)),
    foot(verdict),
  );
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map(inert).join('\n'))
    .join('\n\n');
}

function rows(comparisons: readonly Comparison[], labels: ReadonlyMap<Comparison, string>): string {
  const figures = comparisons.map((comparison) => [
    shortNames[comparison.metric] ?? metricNames[comparison.metric],
    baseToNew(comparison) || '–',
    comparison.effect === null ? '–' : changeText(comparison.effect),
    marginText(comparison.margin),
    comparison.blocks.length === 0 ? '–' : String(comparison.blocks.length),
    outcomeCell(comparison),
  ]);
  const widths = heading.slice(1).map((title, column) => Math.max(title.length, ...figures.map((row) => row[column]!.length)));
  const room = Math.max(leastName, width - widths.reduce((sum, each) => sum + each + 2, 0));
  return table([heading, ...comparisons.map((comparison, index) => [shorten(labels.get(comparison)!, room), ...figures[index]!])]);
}

/** Short, as it is a column: `pass (slower)`. */
function outcomeCell(comparison: Comparison): string {
  const way = aside(comparison).replace(/,.*/, '');
  return `${comparison.outcome}${way === '' ? '' : ` (${way})`}${comparison.decides ? '' : '*'}`;
}

/** Why each comparison that is no pass is none; one note for all that share a reason. */
function reasons(comparisons: readonly Comparison[], labels: ReadonlyMap<Comparison, string>): string[] {
  const told = comparisons.filter(({ outcome }) => outcome !== 'pass' && outcome !== 'improvement');
  const alike = Map.groupBy(told, ({ outcome, reason, owner, onInconclusive }) => JSON.stringify([outcome, reason, owner, onInconclusive]));
  return [...alike.values()].map((group) => {
    const { outcome, reason, owner, onInconclusive } = group[0]!;
    const allowed = outcome === 'inconclusive' && onInconclusive === 'pass' ? ' (allowed by the gate)' : '';
    return `${outcome}: ${named(group, labels)}: ${oneLine(reason)}${allowed}${owner === null ? '' : ` (owner: ${oneLine(owner)})`}`;
  });
}

/** Changes that are shown, and that the margin lets pass. */
function asides(comparisons: readonly Comparison[], labels: ReadonlyMap<Comparison, string>): string[] {
  const alike = Map.groupBy(comparisons, aside);
  return [...alike].filter(([words]) => words.includes('within')).map(([words, group]) => `${words}: ${named(group, labels)}`);
}

function named(group: readonly Comparison[], labels: ReadonlyMap<Comparison, string>): string {
  const names = group.slice(0, mostNamed).map((each) => `${shorten(labels.get(each)!, 200)} (${metricNames[each.metric]})`);
  const others = group.length - names.length;
  return `${names.join(', ')}${others > 0 ? `, and ${others} other${others === 1 ? '' : 's'}` : ''}`;
}

function foot({ host, base, seed, tool, exitCode, outcome }: Verdict): string[] {
  const facts = [`base: ${oneLine(base)}`, `seed ${seed}`, `attnswap ${oneLine(tool.version)}`, `${outcome}, exit code ${exitCode}`];
  return [`host: ${hostLine(host)}`, facts.join(' · ')].flatMap((line) => wrap(clip(line, 600), width));
}
