import { realpath } from 'node:fs/promises';
import { AttnswapError } from '../contract/errors.ts';
import { compareRuns } from '../report/compare-runs.ts';
import type { RunComparison, SourcedRun } from '../report/compare-runs.ts';
import type { StoreOptions } from './baseline.ts';
import { loadRun } from './load-run.ts';

export interface CompareOptions extends StoreOptions {
  /** Paths of run records, or `store:<id>`, at least two; the first is the base for each backend. */
  readonly runs: readonly string[];
}

/**
 * Lays run records of machines, runtimes or versions side by side: what differs, then ratios with intervals. No verdict.
 * @throws USAGE, FILE_UNREADABLE, INVALID_RUN, INVALID_STORE
 */
export async function compare({ runs, store }: CompareOptions): Promise<RunComparison> {
  await refuseRepeated(runs);
  const sources: SourcedRun[] = [];
  for (const source of runs) sources.push({ source, run: await loadRun(source, store) });
  return compareRuns(sources);
}

/** @throws USAGE for one file alone, or the same file twice, whatever it is called */
async function refuseRepeated(files: readonly string[]): Promise<void> {
  if (files.length < 2) {
    throw new AttnswapError('USAGE', `a comparison needs at least two run records, got ${files.length}`, {
      hint: 'attnswap compare base.run.json new.run.json: the first is the base',
    });
  }
  const seen = new Map<string, string>();
  for (const file of files) {
    // What cannot be found is for loadRun to say.
    const path = await realpath(file).catch(() => file);
    const other = seen.get(path);
    if (other !== undefined) {
      const names = other === file ? file : `${other} and ${file}`;
      throw new AttnswapError('USAGE', `${names}: the same run record twice`, { hint: 'list each record once; the first is the base' });
    }
    seen.set(path, file);
  }
}
