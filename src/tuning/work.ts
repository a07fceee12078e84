import type { Adapter, AdapterEntry } from '../contract/adapter.ts';
import type { Tuning } from '../contract/tuning.ts';
import type { Journal } from '../journal/journal.ts';
import type { Task } from '../training/task.ts';
import type { TimeLeft } from './time-left.ts';

/** A tuning at work. */
export interface TuningWork {
  readonly tuning: Tuning;
  readonly task: Task;
  /** What was reached; files lie in its folder. */
  readonly state: Journal;
  /** Who trains, and on which backend. */
  readonly trainer: { readonly adapter: Adapter; readonly backend: string };
  /** Whose kernels exported models get, and what they are measured on. */
  readonly runner: { readonly adapter: Adapter; readonly entry: AdapterEntry; readonly backend: string };
  readonly seed: number;
  readonly maxBlocks: number;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What may be left of it; told of every epoch. */
  readonly timeLeft: TimeLeft;
  /** Told what begins, and of a training where it stands. */
  progress(what: string, training?: TrainingProgress): void;
}

/** What an epoch came to. */
export interface Epoch {
  /** Training loss of each step, nats. */
  readonly losses: readonly number[];
  /** Mean score on validation items, higher is better. */
  readonly validation: number;
  /** Mean number of layers up to the answer, on the same items; absent without exits. */
  readonly layers?: number;
  /** Training ended here: a loss was not finite. */
  readonly diverged?: true;
  readonly elapsedNs: number;
}

export interface TrainingProgress {
  /** The epoch before. */
  readonly last: Epoch | undefined;
  /** Of all trainings that may be ahead. */
  readonly atMostSeconds: number | undefined;
}
