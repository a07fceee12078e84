import { AttnswapError } from '../contract/errors.ts';
import type { StageAnswer } from './messages.ts';

/** What a worker says of an error: `unsupported` where that is its code, else `failed`, in at most 2000 characters. */
export function describeFault(error: unknown): { status: 'unsupported' | 'failed'; reason: string } {
  const status = error instanceof AttnswapError && error.code === 'UNSUPPORTED' ? 'unsupported' : 'failed';
  return { status, reason: textOf(error).slice(0, 2000) };
}

/** The same as the answer of a stage. */
export function stageFault(error: unknown): StageAnswer {
  const { status, reason } = describeFault(error);
  return { outcome: status, reason };
}

function textOf(error: unknown): string {
  if (error instanceof AttnswapError) return `${error.code}: ${error.message}${error.hint === undefined ? '' : ` (hint: ${error.hint})`}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
