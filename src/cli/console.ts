import { SingleBar } from 'cli-progress';
import { AttnswapError } from '../contract/errors.ts';
import { shellCommand } from '../verdict/markdown-text.ts';
import { safeJson, safeLines, visible } from '../text/untrusted.ts';

/** Exit codes of every command; one that was interrupted ends with 128 and the signal's number. */
export const exitCodes = { pass: 0, regression: 1, inconclusive: 2, incomplete: 3, incomparable: 4, error: 5 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Flags that every command takes. */
export interface CommonFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
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

/** The command that goes on from here, as a remark. */
export function suggest(words: readonly string[], flags: CommonFlags): void {
  remark(`next: attnswap ${shellCommand(words)}`, flags);
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

export interface Progress {
  update(done: number, label: string): void;
  stop(): void;
}

/** A bar with a time estimate on a terminal; one line a cell elsewhere; nothing with --quiet. */
export function progress(total: number, flags: CommonFlags): Progress {
  if (flags.quiet === true) return { update: () => undefined, stop: () => undefined };
  if (!process.stderr.isTTY) return { update: (done, label) => tell(`[${done + 1}/${total}] ${visible(label)}`), stop: () => undefined };
  const bar = new SingleBar({
    format: '{bar} {value}/{total} · {eta_formatted} left · {label}',
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    fps: 4,
  });
  bar.start(total, 0, { label: '' });
  return {
    update: (done, label) => bar.update(done, { label: visible(label).slice(0, Math.max(10, (process.stderr.columns ?? 100) - 75)) }),
    stop: () => bar.stop(),
  };
}
