import { readRun } from '../contract/run.ts';
import type { RunRecord } from '../contract/run.ts';
import { readJson } from '../files/json.ts';
import { defaults } from './defaults.ts';

/**
 * A run record from its file, or as `store:<id>` from the store.
 * @throws FILE_UNREADABLE, INVALID_RUN, INVALID_STORE
 */
export async function loadRun(path: string, store: string = defaults.store): Promise<RunRecord> {
  if (path.startsWith('store:')) return (await import('../store/read.ts')).loadStoredRun(store, path);
  return readRun(await readJson(path, 'INVALID_RUN'), path);
}
