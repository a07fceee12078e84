import type { Adapter, AdapterEntry } from '../contract/adapter.ts';
import type { Tuning } from '../contract/tuning.ts';
import type { MigrationState } from '../migration/state.ts';
import type { Task } from '../training/task.ts';
import type { Epoch } from './run-trial.ts';
import type { TimeLeft } from './time-left.ts';

/** A tuning at work. */
export interface TuningWork {
  readonly tuning: Tuning;
  readonly task: Task;
  /** What was reached; files lie in its folder. */
  readonly state: MigrationState;
  /** Who trains, and on which backend. */
  readonly trainer: { readonly adapter: Adapter; readonly backend: string };
  /** Whose kernels exported models get, and what they are measured on. */
  readonly runner: { readonly adapter: Adapter; readonly entry: AdapterEntry; readonly backend: string };
  readonly seed: number;
  readonly maxBlocks: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** What may be left of it; told of every epoch. */
  readonly timeLeft: TimeLeft;
  /** Told what begins, and of a training where it stands. */
  progress(what: string, training?: TrainingProgress): void;
}

export interface TrainingProgress {
  /** The epoch before. */
  readonly last: Epoch | undefined;
  /** Of all trainings that may be ahead. */
  readonly atMostSeconds: number | undefined;
}
