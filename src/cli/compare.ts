import type { Command } from 'commander';
import { realpath } from 'node:fs/promises';
import { AttnswapError } from '../contract/errors.ts';
import { loadRun, writeWhole } from '../measure/run-store.ts';
import { compareRuns } from '../report/compare-runs.ts';
import type { RunComparison, SourcedRun } from '../report/compare-runs.ts';
import { comparedRunsCsv } from '../report/compared-runs-csv.ts';
import { comparisonReport } from '../report/comparison-report.ts';
import { isWhole, refusedSentence } from '../report/comparison/wording.ts';
import { reportPage } from '../report/html/page.ts';
import { command, finish } from './command.ts';
import { comparisonText } from './compare-text.ts';
import { exitCodes, print, printJson, remark, tell } from './console.ts';
import type { CommonFlags, ExitCode } from './console.ts';
import { printable } from './format.ts';

export interface CompareFlags extends CommonFlags {
  readonly html?: string;
  readonly csv?: string;
}

/** Run records of machines, runtimes or versions side by side. Exit 3 where something is missing, 4 where nothing is comparable. */
export async function compare(files: readonly string[], flags: CompareFlags): Promise<ExitCode> {
  await refuseRepeated(files);
  const sources: SourcedRun[] = [];
  for (const source of files) sources.push({ source, run: await loadRun(source) });
  const comparison = compareRuns(sources);
  if (flags.csv !== undefined) await writeWhole(flags.csv, comparedRunsCsv(comparison));
  if (flags.html !== undefined) await writeWhole(flags.html, await reportPage(comparisonReport(comparison)));
  if (flags.json === true) printJson(comparison);
  else print(comparisonText(comparison));
  remarkOn(comparison, flags);
  return exitCodeOf(comparison);
}

export function addCompare(program: Command): void {
  command(program, 'compare', 'lay run records of machines, runtimes or versions side by side', [
    'attnswap compare laptop.run.json server.run.json --html compared.html',
    'attnswap compare v1.run.json v2.run.json v3.run.json --csv versions.csv',
  ])
    .argument('<runs...>', 'run records, from attnswap bench; the first is the base, backend by backend')
    .option('--html <file>', 'the comparison as one page')
    .option('--csv <file>', 'one row a cell and column, for spreadsheets')
    .action(async (files: string[], flags: CompareFlags) => finish(await compare(files, flags)));
}

/** @throws USAGE for one file alone, or the same file twice, whatever it is called */
async function refuseRepeated(files: readonly string[]): Promise<void> {
  if (files.length < 2) {
    throw new AttnswapError('USAGE', `a comparison needs two run records at least, got ${files.length}`, {
      hint: 'attnswap compare base.run.json new.run.json: the first is the base',
    });
  }
  const seen = new Map<string, string>();
  for (const file of files) {
    // What cannot be found is for loadRun to say.
    const path = await realpath(file).catch(() => file);
    const other = seen.get(path);
    if (other !== undefined) {
      const names = other === file ? file : `${other} and ${file}`;
      throw new AttnswapError('USAGE', `${names}: the same run record twice`, { hint: 'name each record once; the first is the base' });
    }
    seen.set(path, file);
  }
}

function remarkOn(comparison: RunComparison, flags: CompareFlags): void {
  if (flags.html !== undefined) remark(`page: ${printable(flags.html)}`, flags);
  if (flags.csv !== undefined) remark(`CSV: ${printable(flags.csv)}`, flags);
  if (comparison.columns.length > 1) return;
  const why = comparison.refused.map((column) => refusedSentence(column));
  // Not a remark: --quiet does not silence why a command failed.
  tell(`attnswap: nothing is comparable. ${why.join(' ')}\n  hint: measure the same suite for each: attnswap bench`);
}

function exitCodeOf(comparison: RunComparison): ExitCode {
  if (comparison.columns.length < 2) return exitCodes.incomparable;
  return isWhole(comparison) ? exitCodes.pass : exitCodes.incomplete;
}
