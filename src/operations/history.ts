import { latencyHistory, seriesOfHosts } from '../compare/latency-history.ts';
import type { Series, TimedRun } from '../compare/latency-history.ts';
import type { StoreOptions } from './baseline.ts';
import { defaults } from './defaults.ts';
import { loadRun } from './load-run.ts';

export type { LatencyChange, Series } from '../compare/latency-history.ts';

export interface HistoryOptions extends StoreOptions {
  /** Paths of run records, or `store:<id>`. @default all runs in the store */
  readonly runs?: readonly string[] | undefined;
}

export interface HistoryRecord {
  /** One per host. */
  readonly series: readonly Series[];
}

/**
 * Finds where latency changed over runs, each host by itself, and between which two runs.
 * @throws FILE_UNREADABLE, INVALID_RUN, INVALID_STORE
 */
export async function history({ runs = [], store = defaults.store }: HistoryOptions): Promise<HistoryRecord> {
  const timed = runs.length > 0 ? await timedFiles(runs, store) : await (await import('../store/timed-runs.ts')).timedRuns(store);
  return { series: seriesOfHosts(timed).map(latencyHistory) };
}

async function timedFiles(files: readonly string[], store: string): Promise<TimedRun[]> {
  const timed: TimedRun[] = [];
  for (const file of files) {
    const { startedAt, host, cells } = await loadRun(file, store);
    const medians = new Map(
      cells.flatMap(({ id, status, latency }) => (status === 'ok' && latency !== undefined ? [[id, latency.medianNs]] : [])),
    );
    timed.push({ file, startedAt, host, medians });
  }
  return timed;
}
