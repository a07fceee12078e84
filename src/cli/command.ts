import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { ExitCode } from './console.ts';

/** The exit codes, as every command's help ends with them. */
export const exitHelp = `
Exit codes: 0 pass, 1 regression, 2 inconclusive, 3 incomplete (a declared cell was not measured),
4 incomparable (another machine or configuration), 5 usage or tool error,
130 interrupted (Ctrl-C; 143 by SIGTERM, 129 by SIGHUP).`;

/** Parses an option that takes a whole number. */
export function wholeNumber(least: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least) throw new InvalidArgumentError(`expected a whole number ≥ ${least}`);
    return value;
  };
}

/** Parses per cent. */
export function percentage(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1000)) throw new InvalidArgumentError('expected per cent, above 0 and at most 1000');
  return value;
}

/** Parses `name=size`, collecting what was given before. */
export function dimension(text: string, known: Readonly<Record<string, number>> = {}): Record<string, number> {
  const [, name = '', size = ''] = /^(.+)=(\d+)$/.exec(text) ?? [];
  if (!(Number(size) > 0)) throw new InvalidArgumentError('expected name=size, such as sequence=128');
  return { ...known, [name]: Number(size) };
}

/** A command with the flags that all share; what it resolves to becomes the exit code. */
export function command(program: Command, usage: string, summary: string, examples: readonly string[]): Command {
  const help = `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}\n${exitHelp}`;
  return program
    .command(usage)
    .summary(summary)
    .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`)
    .option('--json', 'machine-readable result on standard output')
    .option('--quiet', 'no progress, no remarks')
    .addHelpText('after', help);
}

/** The flag of a command that measures. */
export function withWait(given: Command): Command {
  return given.option('--wait', 'where another attnswap is measuring, wait until it ends');
}

/** Makes what a command resolved to the process's exit code. */
export function finish(code: ExitCode): void {
  process.exitCode = code;
}
