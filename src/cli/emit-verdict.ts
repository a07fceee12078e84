import { appendFile } from 'node:fs/promises';
import type { Verdict } from '../contract/verdict.ts';
import { writeWhole } from '../measure/run-store.ts';
import { githubCommands, githubSummary } from '../verdict/github.ts';
import { verdictJunit } from '../verdict/junit.ts';
import { verdictMarkdown } from '../verdict/markdown.ts';
import { verdictSarif } from '../verdict/sarif.ts';
import { verdictTable } from '../verdict/table.ts';
import { print, printJson, remark } from './console.ts';
import { interruptionCode } from './measuring.ts';
import type { CommonFlags, ExitCode } from './console.ts';

export interface VerdictFlags {
  readonly out?: string;
  readonly junit?: string;
  readonly sarif?: string;
  readonly markdown?: string;
  readonly github?: boolean;
  readonly maxBlocks: number;
  readonly blockSeconds: number;
}

/** Prints the verdict, writes every rendering that was asked for, and gives its exit code. */
export async function emitVerdict(reached: Verdict, flags: CommonFlags & VerdictFlags): Promise<ExitCode> {
  const verdict = { ...reached, exitCode: interruptionCode() ?? reached.exitCode };
  const files: Array<[string | undefined, () => string]> = [
    [flags.out, () => `${JSON.stringify(verdict, null, 1)}\n`],
    [flags.junit, () => verdictJunit(verdict)],
    [flags.sarif, () => verdictSarif(verdict)],
    [flags.markdown, () => verdictMarkdown(verdict)],
  ];
  // Printed first: a full disk must not swallow the verdict.
  if (flags.json === true) printJson(verdict);
  else print(verdictTable(verdict));
  if (flags.github === true) {
    process.stderr.write(githubCommands(verdict));
    const summary = process.env['GITHUB_STEP_SUMMARY'];
    if (summary !== undefined) await appendFile(summary, githubSummary(verdict));
  }
  for (const [path, render] of files) if (path !== undefined) await writeWhole(path, render());
  if (flags.out !== undefined) remark(`verdict: ${flags.out}`, flags);
  return verdict.exitCode as ExitCode;
}
