import type { Adapter, AdapterEntry } from '../contract/adapter.ts';
import type { Tuning } from '../contract/tuning.ts';
import type { MigrationState } from '../migration/state.ts';
import type { Task } from '../training/task.ts';

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
  /** Told what begins. */
  progress(what: string): void;
}
