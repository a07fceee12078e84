import { addRecords } from '../store/add.ts';
import type { AddedFile } from '../store/add.ts';
import { storedRuns, storedVerdicts } from '../store/read.ts';
import type { StoreOptions } from './baseline.ts';
import { defaults } from './defaults.ts';
import type { OperationOptions } from './options.ts';

export type { AddedFile } from '../store/add.ts';

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
