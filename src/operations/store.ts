import { addRecords } from '../store/add.ts';
import type { AddedFile } from '../store/add.ts';
import { compactStore } from '../store/compact.ts';
import type { Compaction } from '../store/compact.ts';
import { storedRuns, storedVerdicts } from '../store/read.ts';
import type { StoreOptions } from './baseline.ts';
import { defaults } from './defaults.ts';
import type { OperationOptions } from './options.ts';

export type { AddedFile } from '../store/add.ts';
export type { Compaction } from '../store/compact.ts';

export interface StoreRecordsOptions extends StoreOptions, Pick<OperationOptions, 'onProgress' | 'signal'> {
  /** Run records and verdicts. */
  readonly files: readonly string[];
}

/**
 * Adds run records and verdicts to the store, all of them or none; what is there already is left.
 * @throws FILE_UNREADABLE, INVALID_RUN, INVALID_VERDICT, INVALID_STORE, FILE_UNWRITABLE, INTERRUPTED
 */
export async function storeRecords({
  files,
  store = defaults.store,
  onProgress,
  signal,
}: StoreRecordsOptions): Promise<readonly AddedFile[]> {
  const onFile = (what: string, done: number) => onProgress?.({ what, done, total: files.length });
  return addRecords(store, files, { signal, onFile });
}

export interface CompactOptions extends StoreOptions, Pick<OperationOptions, 'signal'> {}

/**
 * Joins the small parts of the store into one, so that reading opens fewer files; no record changes.
 * @throws FILE_UNREADABLE, INVALID_STORE, INVALID_RUN, INVALID_VERDICT, FILE_UNWRITABLE, INTERRUPTED
 */
export async function compactRecords({ store = defaults.store, signal }: CompactOptions = {}): Promise<Compaction> {
  return compactStore(store, signal);
}

/** What a store holds. */
export interface StoredRecords {
  readonly runs: readonly ListedRun[];
  readonly verdicts: readonly ListedVerdict[];
}

export interface ListedRun {
  readonly id: string;
  readonly suite: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly cells: number;
  readonly declared: number;
  readonly host: string;
  readonly fingerprint: string;
  readonly version: string;
  /** The file that it was added from. */
  readonly source: string;
}

export interface ListedVerdict {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly startedAt: string;
  readonly outcome: string;
  readonly comparisons: number;
  readonly source: string;
}

/** What is in the store, oldest first. @throws FILE_UNREADABLE, INVALID_STORE */
export async function listRecords({ store = defaults.store }: StoreOptions = {}): Promise<StoredRecords> {
  const runs = await storedRuns(store);
  const verdicts = await storedVerdicts(store);
  return {
    runs: runs.map(({ id, suite, startedAt, cells, declared, host, fingerprint, version, source }) => ({
      id,
      suite,
      startedAt,
      cells,
      declared,
      host,
      fingerprint,
      version,
      source,
    })),
    verdicts: verdicts.map(({ id, source, verdict: { kind, name, startedAt, outcome, comparisons } }) => ({
      id,
      kind,
      name,
      startedAt,
      outcome,
      comparisons: comparisons.length,
      source,
    })),
  };
}
