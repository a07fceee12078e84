import type { Verdict } from '../contract/verdict.ts';
import { print, printJson } from './console.ts';
import type { ExitCode } from './console.ts';
import type { CommonFlags } from './console.ts';
import type { Given } from './declare.ts';
import { flag } from './declare.ts';
import { json, oldOutput, outputs, writeOutputs } from './outputs.ts';
import { interruptionCode } from './work.ts';

/** Where a verdict goes. */
export const verdictOutputs = {
  out: outputs(['.json', '.junit.xml', '.sarif', '.md', '.html', '.csv'], 'write the verdict'),
  github: flag('print GitHub Actions annotations and write a step summary'),
  junit: oldOutput('.junit.xml'),
  sarif: oldOutput('.sarif'),
  markdown: oldOutput('.md'),
} as const;

export const verdictExits = { 1: 'regression', 2: 'inconclusive', 3: 'incomplete', 4: 'incomparable' } as const;

/** Prints the verdict, writes every rendering that was asked for, and gives its exit code. */
export async function writeVerdict(reached: Verdict, flags: CommonFlags & Given<{}, typeof verdictOutputs>): Promise<ExitCode> {
  const verdict = { ...reached, exitCode: interruptionCode() ?? reached.exitCode };
  const { out = [], junit = [], sarif = [], markdown = [] } = flags;
  const { verdictTable } = await import('../verdict/table.ts');
  // Printed first: a full disk must not swallow the verdict.
  if (flags.json === true) printJson(verdict);
  else print(verdictTable(verdict));
  if (flags.github === true) await annotate(verdict);
  const renderers = {
    '.json': json(verdict),
    '.junit.xml': async () => (await import('../verdict/junit.ts')).verdictJunit(verdict),
    '.sarif': async () => (await import('../verdict/sarif.ts')).verdictSarif(verdict),
    '.md': async () => (await import('../verdict/markdown.ts')).verdictMarkdown(verdict),
    '.csv': async () => (await import('../report/comparisons-csv.ts')).comparisonsCsv(verdict.comparisons),
    '.html': () => verdictPage(verdict),
  };
  await writeOutputs([...out, ...junit, ...sarif, ...markdown], renderers, flags);
  return verdict.exitCode as ExitCode;
}

async function annotate(verdict: Verdict): Promise<void> {
  const [{ githubCommands, githubSummary }, { appendFile }] = await Promise.all([
    import('../verdict/github.ts'),
    import('node:fs/promises'),
  ]);
  process.stderr.write(githubCommands(verdict));
  const summary = process.env['GITHUB_STEP_SUMMARY'];
  if (summary !== undefined) await appendFile(summary, githubSummary(verdict));
}

async function verdictPage(verdict: Verdict): Promise<string> {
  const [{ reportPage }, { verdictReport }] = await Promise.all([import('../report/html/page.ts'), import('../report/verdict-report.ts')]);
  return reportPage(verdictReport(verdict));
}
