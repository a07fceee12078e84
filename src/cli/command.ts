import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { requireTemporaryFolder, requireWritableFile, requireWritableFolder } from '../measure/writable.ts';
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

/** Below this a number of per cent is likely meant as a share: 0.05 for 5 %. */
const leastPercentage = 0.1;

/** Parses per cent, with or without its sign. A number so small that a share may be meant is asked back; `0.05%` says what it is. */
export function percentage(text: string): number {
  const [, number = '', sign] = /^(.*?)\s*(%?)$/.exec(text.trim()) ?? [];
  const value = number === '' ? NaN : Number(number);
  if (!(value > 0 && value <= 1000)) throw new InvalidArgumentError('expected per cent, above 0 and at most 1000');
  if (value >= leastPercentage || sign === '%') return value;
  throw new InvalidArgumentError(
    `this is per cent: write ${Number((100 * value).toPrecision(6))} for ${Number((100 * value).toPrecision(6))} %, or ${number}% where you mean that little`,
  );
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
    .showHelpAfterError(`(attnswap ${program.name() === 'attnswap' ? '' : `${program.name()} `}${usage} --help says what it takes)`)
    .hook('preAction', (_this, action) => requirePlaces(action))
    .option('--json', 'machine-readable result on standard output')
    .option('--quiet', 'no progress, no remarks')
    .addHelpText('after', help);
}

/** Options that name a file, or a folder, that a command writes. */
const fileOptions = ['out', 'csv', 'html', 'junit', 'sarif', 'markdown'] as const;
const folderOptions = ['dir'] as const;
/** Commands whose --out is a folder, and those that need no temporary one. */
const folderCommands = new Set(['capture']);
const plainCommands = new Set(['report', 'compare', 'history', 'waste', 'save', 'list', 'show']);

/** Whatever a command writes, it can be written: found before anything is measured. @throws FILE_UNWRITABLE */
async function requirePlaces(action: Command): Promise<void> {
  const flags = action.opts<Readonly<Record<string, unknown>>>();
  const folders: readonly string[] = folderCommands.has(action.name()) ? [...folderOptions, 'out'] : folderOptions;
  for (const name of [...fileOptions, ...folderOptions]) {
    const path = flags[name];
    if (typeof path !== 'string') continue;
    await (folders.includes(name) ? requireWritableFolder(path) : requireWritableFile(path));
  }
  if (!plainCommands.has(action.name())) await requireTemporaryFolder();
}

/** The flag of a command that measures. */
export function withWait(given: Command): Command {
  return given.option('--wait', 'where another attnswap is measuring, wait until it ends');
}

/** Makes what a command resolved to the process's exit code. */
export function finish(code: ExitCode): void {
  process.exitCode = code;
}
