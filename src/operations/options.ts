import type { AdapterEntry } from '../contract/adapter.ts';
import { adapters as builtIn } from '../../adapters/index.ts';

/** How far an operation is. */
export interface Progress {
  /** What is done now, such as `dense.fused: latency at 512 tokens`. */
  readonly what: string;
  /** Steps done, of `total`; absent where nobody knows how many there will be. */
  readonly done?: number;
  readonly total?: number;
  /** Share of the time that is done, where steps take different times. @default done / total */
  readonly share?: number;
  /** At most this long is left, seconds; absent where it must be told from the share done. */
  readonly secondsLeft?: number;
}

/** What every operation takes. */
export interface OperationOptions {
  /** Where backends are looked for, the first found wins. @default attnswap's own */
  readonly adapters?: readonly AdapterEntry[] | undefined;
  /** Called before each step. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called with what may disturb or mislead, before anything is measured; the record has it too. */
  readonly onWarning?: ((warning: string) => void) | undefined;
  /** Ends the operation with the error INTERRUPTED; what was measured by then is kept where there is a record or folder. */
  readonly signal?: AbortSignal | undefined;
  /** Where another attnswap is measuring, waits until it ends, instead of the error BUSY. @default false */
  readonly wait?: boolean | undefined;
  /** How the operation was asked for, for the record. @default [] */
  readonly command?: readonly string[] | undefined;
}

/** The adapters of an operation, with those of a suite before them. */
export function adaptersOf({ adapters = builtIn }: OperationOptions, own: readonly AdapterEntry[] = []): readonly AdapterEntry[] {
  return [...own, ...adapters];
}
