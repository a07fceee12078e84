import type { AdapterEntry } from '../contract/adapter.ts';
import { adapters as builtIn } from '../../adapters/index.ts';

/** How far an operation is. */
export interface Progress {
  /** The current step, such as `dense.fused: latency at 512 tokens`. */
  readonly what: string;
  /** Completed steps, out of `total`; absent if the number of steps is unknown. */
  readonly done?: number;
  readonly total?: number;
  /** Share of the total time, if steps take different times. @default done / total */
  readonly share?: number;
  /** Upper bound of the time left, seconds; absent if it follows from the share. */
  readonly secondsLeft?: number;
  /** Nothing is being done, and nobody knows until when: to be said once. */
  readonly idle?: true;
}

/** What every operation takes. */
export interface OperationOptions {
  /** Adapters in which backends are looked up; the first match wins. @default attnswap's own */
  readonly adapters?: readonly AdapterEntry[] | undefined;
  /** Called before each step. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called with what may disturb or mislead, before anything is measured; the record has it too. */
  readonly onWarning?: ((warning: string) => void) | undefined;
  /** Ends the operation with the error INTERRUPTED; results in a record or folder are kept. */
  readonly signal?: AbortSignal | undefined;
  /** Waits while another attnswap is measuring, instead of failing with BUSY. @default false */
  readonly wait?: boolean | undefined;
  /** The command line to store in the record. @default [] */
  readonly command?: readonly string[] | undefined;
}

/** The adapters of an operation, with those of a suite before them. */
export function adaptersOf({ adapters = builtIn }: OperationOptions, own: readonly AdapterEntry[] = []): readonly AdapterEntry[] {
  return [...own, ...adapters];
}
