import type { Comparison, Verdict } from '../contract/verdict.ts';
import { comparisonTable, reasonList, reproduction, sentence, warningList } from './markdown-parts.ts';
import { escapeMarkdown } from './markdown-text.ts';
import { failsByItself, levelOf, worstFirst } from './standing.ts';
import { clip } from '../text/layout.ts';
import { oneLine, visible } from '../text/untrusted.ts';
import { labelsOf, measured, metricNames, outcomeText, warningsOf } from './wording.ts';

const commands = ['error', 'warning', 'notice'] as const;

interface Annotation {
  readonly command: (typeof commands)[number];
  readonly title: string;
  readonly message: string;
}

/** GitHub shows ten annotations of each kind a step. */
const mostOfAKind = 10;

/**
 * Workflow commands, one a line: `error` for what fails the gate, `warning` for what could not be told and for noise, `notice` for
 * what is shown only. At most ten of a kind, worst first. '' where there is nothing to say.
 */
export function githubCommands(verdict: Verdict): string {
  const annotations = annotationsOf(verdict);
  return commands
    .flatMap((command) => limited(annotations.filter((each) => each.command === command)))
    .map(({ command, title, message }) => `::${command} title=${property(title)}::${data(message)}\n`)
    .join('');
}

/** A job's summary in Markdown: the verdict's sentence, every comparison, reasons, warnings, and how to reproduce it. */
export function githubSummary(verdict: Verdict): string {
  const comparisons = worstFirst(verdict.comparisons);
  const labels = labelsOf(comparisons);
  const parts = [
    `### attnswap ${verdict.kind}: ${escapeMarkdown(verdict.name, 200)}`,
    sentence(verdict),
    comparisons.length === 0 ? '' : comparisonTable(comparisons, labels),
    reasonList(comparisons, labels),
    warningList(verdict),
    reproduction(verdict),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function annotationsOf(verdict: Verdict): Annotation[] {
  const comparisons = worstFirst(verdict.comparisons);
  const labels = labelsOf(comparisons);
  const title = `attnswap ${verdict.kind} ${verdict.name}`;
  const found = comparisons.flatMap((comparison) => annotationOf(comparison, labels.get(comparison)!));
  // A gate that fails always says so where GitHub shows it, whatever made it fail.
  const whole = failsByItself(verdict) ? [{ command: 'error' as const, title, message: verdict.summary }] : [];
  const warnings = warningsOf(verdict).map((message) => ({ command: 'warning' as const, title, message }));
  return [...whole, ...found, ...warnings];
}

function annotationOf(comparison: Comparison, label: string): Annotation[] {
  const level = levelOf(comparison);
  if (level === 'none') return [];
  const { metric, outcome, reason, owner } = comparison;
  const lines = [`${outcomeText(comparison)}: ${reason}`, measured(comparison), owner === null ? '' : `owner: ${owner}`];
  const title = `${outcome}: ${label} (${metricNames[metric]})`;
  return [{ command: level === 'note' ? 'notice' : level, title, message: lines.filter((line) => line !== '').join('\n') }];
}

function limited(annotations: readonly Annotation[]): Annotation[] {
  const left = annotations.length - mostOfAKind;
  if (left <= 0) return [...annotations];
  const { command } = annotations[0]!;
  const more = { command, title: 'attnswap', message: `and ${left + 1} more: see the job's summary` };
  return [...annotations.slice(0, mostOfAKind - 1), more];
}

/** Text of a command: it ends at the line's end. */
function data(text: string): string {
  const known = clip(visible(text.replaceAll(/\r\n?/g, '\n'), '\n'), 4000);
  return known.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/** A property of a command: it ends at a comma or at `::` too. */
function property(text: string): string {
  return data(clip(oneLine(text), 200))
    .replaceAll(':', '%3A')
    .replaceAll(',', '%2C');
}
