import { AttnswapError } from '../contract/errors.ts';
import { safeJson, safeLines, visible } from '../text/untrusted.ts';

/** Exit codes of every command; one that was interrupted ends with 128 and the signal's number. */
export const exitCodes = { pass: 0, regression: 1, inconclusive: 2, incomplete: 3, incomparable: 4, error: 5 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What every command takes. */
export interface CommonFlags {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
}

/** What a command found goes to standard output, everything else to standard error. */
export function print(text: string): void {
  process.stdout.write(`${safeLines(text)}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${safeJson(value)}\n`);
}

/** What must be said, on standard error. */
export function tell(text: string): void {
  process.stderr.write(`${safeLines(text)}\n`);
}

/** A remark on standard error, unless --quiet. */
export function remark(text: string, flags: CommonFlags): void {
  if (flags.quiet !== true) tell(text);
}

/** An error as three lines at most: what happened, and what to do. */
export function printError(error: unknown): void {
  if (!(error instanceof AttnswapError)) {
    tell(`attnswap: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return;
  }
  tell(`attnswap: ${visible(error.message)} [${error.code}]`);
  if (error.hint !== undefined) tell(`  hint: ${visible(error.hint)}`);
}
