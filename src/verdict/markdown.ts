import type { Comparison, Verdict } from '../contract/verdict.ts';
import { comparisonTable, reasonList, reproduction, sentence, warningList } from './markdown-parts.ts';
import { nameSlug } from './name-slug.ts';
import { worstFirst } from './standing.ts';
import { aside, labelsOf } from './wording.ts';

/**
 * A comment for a pull request, under 65 536 characters: a hidden marker, the verdict's sentence, what is not a plain pass, and how to
 * reproduce it. The first line is {@link commentMarker}.
 */
export function verdictMarkdown(verdict: Verdict): string {
  const parts = [commentMarker(verdict), sentence(verdict), notable(verdict), folded('How to reproduce', reproduction(verdict))];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/**
 * The comment's first line, the same for every verdict of a kind and name, so that CI finds the comment it wrote last time. Letters,
 * digits, dots, colons, equals signs and hyphens only: it can stand in a shell's quotes, and cannot end an HTML comment.
 */
export function commentMarker({ kind, name }: Pick<Verdict, 'kind' | 'name'>): string {
  return `<!-- attnswap:${kind}:${nameSlug(name)} -->`;
}

/** What is not a plain pass, folded; what must not be overlooked is said by the sentence above it. */
function notable(verdict: Verdict): string {
  const all = worstFirst(verdict.comparisons);
  const told = all.filter((comparison) => !plainPass(comparison));
  const warnings = warningList(verdict);
  if (told.length === 0 && warnings === '') return all.length === 0 ? '' : `Comparisons: ${all.length}, all of them pass.`;
  const labels = labelsOf(all);
  const title = told.length === 0 ? 'Warnings' : `${told.length} of ${all.length} comparisons need attention`;
  const parts = [told.length === 0 ? '' : comparisonTable(told, labels), reasonList(told, labels), warnings];
  return folded(title, parts.filter((part) => part !== '').join('\n\n'));
}

function plainPass(comparison: Comparison): boolean {
  return comparison.outcome === 'pass' && comparison.decides && aside(comparison) === '';
}

function folded(title: string, body: string): string {
  return `<details><summary>${title}</summary>\n\n${body}\n\n</details>`;
}
