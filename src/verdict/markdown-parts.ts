import type { Comparison, Verdict } from '../contract/verdict.ts';
import { hostLine } from './host-line.ts';
import { codeMarkdown, escapeMarkdown, fenced, fitting, shellCommand } from './markdown-text.ts';
import { clip, shorten } from '../text/layout.ts';
import { baseToNew, changeText, marginText, metricNames, outcomeText, warningsOf } from './wording.ts';

type Labels = ReadonlyMap<Comparison, string>;

/** GitHub takes comments of 65 536 characters; each part of one has a share of that. */
const tableRoom = 20_000;
const notesRoom = 20_000;
const warningsRoom = 4000;

const heading = ['outcome', 'comparison', 'metric', 'base → new', 'change', 'margin', 'blocks'];

/** The verdict's sentence, its outcome in bold. */
export function sentence({ outcome, summary }: Verdict): string {
  return `**${outcome[0]!.toUpperCase()}${outcome.slice(1)}.** ${escapeMarkdown(summary, 500)}`;
}

/** A row a comparison, as many as fit. */
export function comparisonTable(comparisons: readonly Comparison[], labels: Labels): string {
  const rows = fitting(
    comparisons.map((comparison) => row(cells(comparison, labels))),
    tableRoom,
    (left) => row([`and ${left} more`, ...heading.slice(1).map(() => '')]),
  );
  return [row(heading), row(['---', '---', '---', '--:', '--:', '--:', '--:']), ...rows].join('\n');
}

/** Why each comparison that is no pass is none, and whom to ask. */
export function reasonList(comparisons: readonly Comparison[], labels: Labels): string {
  const told = comparisons.filter(({ outcome }) => outcome !== 'pass' && outcome !== 'improvement');
  const lines = told.map((comparison) => {
    const { metric, outcome, reason, owner } = comparison;
    const whom = owner === null ? '' : ` Owner: ${escapeMarkdown(owner, 200)}.`;
    return `- ${outcome}: ${codeMarkdown(shorten(labels.get(comparison)!, 200), 200)} (${metricNames[metric]}): ${escapeMarkdown(reason, 600)}.${whom}`;
  });
  return fitting(lines, notesRoom, (left) => `- and ${left} more`).join('\n');
}

export function warningList(verdict: Verdict): string {
  const lines = warningsOf(verdict).map((text) => `- warning: ${escapeMarkdown(text, 600)}`);
  return fitting(lines, warningsRoom, (left) => `- and ${left} more`).join('\n');
}

/** The command that gave the verdict, and on what. */
export function reproduction({ command, base, seed, tool, exitCode, host }: Verdict): string {
  const facts = [
    `Base: ${codeMarkdown(base, 200)}`,
    `seed ${seed}`,
    `attnswap ${escapeMarkdown(tool.version, 50)}`,
    `exit code ${exitCode}`,
    `host: ${escapeMarkdown(hostLine(host), 300)}`,
  ];
  return `${fenced(clip(shellCommand(['npx', 'attnswap', ...command]), 2000), 'sh')}\n\n${facts.join(' · ')}`;
}

function cells(comparison: Comparison, labels: Labels): string[] {
  const { metric, effect, margin, blocks } = comparison;
  return [
    outcomeText(comparison),
    codeMarkdown(shorten(labels.get(comparison)!, 200), 200),
    metricNames[metric],
    baseToNew(comparison) || '–',
    effect === null ? '–' : escapeMarkdown(changeText(effect), 100),
    marginText(margin),
    blocks.length === 0 ? '–' : String(blocks.length),
  ];
}

function row(columns: readonly string[]): string {
  return `| ${columns.join(' | ')} |`;
}
