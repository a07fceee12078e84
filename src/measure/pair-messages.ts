import type { z } from 'zod';
import type { cellStatuses, errorSchema, Workers } from '../contract/cell.ts';
import type { ComparedFigure } from '../contract/verdict.ts';
import type { CellRequest, ModelArmRequest } from './messages.ts';

/** Both arms of a pair may come from different versions of attnswap: they speak only if this agrees. */
export const pairProtocol = 1;

/** What a sample of a pair lasts at the least: more calls than one are needed for what is quicker. Of disturbed calls, single ones spoil the fewest samples. */
export const minPairSampleNs = 2e6;

/** What a resident worker is asked, one thing at a time. */
export type PairQuestion =
  /** Of `judgedRows` 0 the output is not judged. Durations are of `figure`. */
  | {
      readonly ask: 'prepare';
      readonly protocol: number;
      readonly request: CellRequest | ModelArmRequest;
      readonly judgedRows: number;
      readonly figure?: ComparedFigure;
    }
  /** Warm up for at most `capNs`; sets the batch unless it is given. */
  | { readonly ask: 'warm'; readonly capNs: number; readonly callsPerSample?: number }
  /** `dropped` samples after a switch are taken and thrown away, `kept` are returned. */
  | { readonly ask: 'sample'; readonly dropped: number; readonly kept: number };

export type PairAnswer =
  | {
      readonly answer: 'prepared';
      readonly protocol: number;
      /** Of its durations; absent from versions that know latency alone. */
      readonly figure?: ComparedFigure;
      /** Of a cell; a model has no reference to be held against. */
      readonly error?: z.infer<typeof errorSchema>;
      /** q·k products of one call of a cell. */
      readonly scoredPairs?: number;
      /** Absent where no worker computes, and from versions that do not tell. */
      readonly workers?: Workers;
      readonly warnings: readonly string[];
    }
  | { readonly answer: 'warm'; readonly callsPerSample: number; readonly callNs: number }
  /** Nanoseconds a call, of the figure that was asked for; `cpuNs` is of all processors, dropped samples too, and absent where the system does not tell. */
  | { readonly answer: 'samples'; readonly samplesNs: readonly number[]; readonly cpuNs?: number }
  | PairFault;

/** Why an arm cannot be measured, in the words of a cell's status. */
export interface PairFault {
  readonly answer: 'fault';
  readonly status: Exclude<(typeof cellStatuses)[number], 'ok'>;
  readonly reason: string;
}
