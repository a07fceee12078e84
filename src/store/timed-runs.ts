import type { TimedRun } from '../compare/latency-history.ts';
import { AttnswapError } from '../contract/errors.ts';
import { hostOf, mediansOf, storedName, storedRuns } from './read.ts';
import type { StoredRun } from './read.ts';

/** A stored run with the latencies of its cells. */
export interface TimedStoredRun extends TimedRun {
  readonly stored: StoredRun;
}

/** All runs of a store with their latencies. @throws FILE_UNREADABLE where the store has none; INVALID_STORE */
export async function timedRuns(store: string): Promise<TimedStoredRun[]> {
  const runs = await storedRuns(store);
  if (runs.length === 0) {
    throw new AttnswapError('FILE_UNREADABLE', `${store}: no runs are stored there`, { hint: 'attnswap store add runs/*.run.json' });
  }
  const medians = await mediansOf(runs);
  return runs.map((stored, index) => ({
    file: storedName(stored.id),
    startedAt: stored.startedAt,
    host: hostOf(stored),
    medians: medians[index]!,
    stored,
  }));
}
