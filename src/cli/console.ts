import { AttnswapError } from '../contract/errors.ts';
import { printable } from '../text/untrusted.ts';

/** Exit codes of every command. */
export const exitCodes = { pass: 0, regression: 1, inconclusive: 2, incomplete: 3, incomparable: 4, error: 5 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What every command takes. */
export interface CommonFlags {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
}

/** What a command found goes to standard output, everything else to standard error. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** A remark on standard error, unless --quiet. */
export function remark(text: string, flags: CommonFlags): void {
  if (flags.quiet !== true) process.stderr.write(`${text}\n`);
}

/** An error as three lines at most: what happened, and what to do. */
export function printError(error: unknown): void {
  if (!(error instanceof AttnswapError)) {
    process.stderr.write(`attnswap: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return;
  }
  process.stderr.write(`attnswap: ${printable(error.message)} [${error.code}]\n`);
  if (error.hint !== undefined) process.stderr.write(`  hint: ${printable(error.hint)}\n`);
}
