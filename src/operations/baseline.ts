import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promote } from '../compare/baseline.ts';
import type { Baseline } from '../compare/baseline.ts';
import { portableOf } from '../compare/portable-baseline.ts';
import { baselineNames, loadBaseline, saveBaseline as store } from '../compare/store.ts';
import { AttnswapError } from '../contract/errors.ts';
import { defaults } from './defaults.ts';
import { loadRun } from './load-run.ts';

export interface StoreOptions {
  /** Folder with calibrations, baselines and stored records. @default '.attnswap' */
  readonly store?: string | undefined;
}

export interface SaveBaselineOptions extends StoreOptions {
  readonly name: string;
  /** Paths of run records, or `store:<id>`: complete, without failures, of one host and suite. */
  readonly runs: readonly string[];
  /** Why these runs become the baseline. */
  readonly reason?: string | undefined;
  /** Who stores them. @default the current user */
  readonly by?: string | undefined;
  /** Replaces the baseline instead of adding to it. @default false */
  readonly replace?: boolean | undefined;
  /** Keeps only figures that hold on any machine. @default false */
  readonly portable?: boolean | undefined;
}

export interface SavedBaseline {
  readonly path: string;
  /** Number of stored runs. */
  readonly suite: string;
  readonly runs: number;
  readonly baseline: Baseline;
}

/**
 * Promotes runs into a baseline, with who, when and why.
 * @throws USAGE without a reason; INVALID_BASELINE where the runs are not whole, clean, of one host and suite; INVALID_RUN, FILE_UNWRITABLE
 */
export async function saveBaseline(options: SaveBaselineOptions): Promise<SavedBaseline> {
  const { name, reason, store: folder = defaults.store } = options;
  if (reason === undefined) throw new AttnswapError('USAGE', `baseline ${name}: the reason is missing`, { hint: "--reason 'release 1.2'" });
  const runs = [];
  for (const file of options.runs) runs.push(await loadRun(file, folder));
  // A portable one is made anew: it keeps no runs that others could be added to.
  const known = existsSync(join(folder, 'baselines', `${name}.json`)) && options.replace !== true && options.portable !== true;
  const existing = known ? await loadBaseline(folder, name) : undefined;
  const promotion = { name, by: options.by ?? userInfo().username, reason, promotedAt: new Date().toISOString() };
  const promoted = promote(runs, promotion, existing);
  const baseline = options.portable === true ? portableOf(promoted) : promoted;
  return { path: await store(folder, baseline), suite: promoted.runs[0]!.run.suite.name, runs: promoted.runs.length, baseline };
}

/** Every stored baseline. @throws INVALID_BASELINE */
export async function listBaselines({ store: folder = defaults.store }: StoreOptions = {}): Promise<readonly Baseline[]> {
  const baselines: Baseline[] = [];
  for (const name of baselineNames(folder)) baselines.push(await loadBaseline(folder, name));
  return baselines;
}

export interface ShowBaselineOptions extends StoreOptions {
  readonly name: string;
}

/** What a baseline holds: its promotions, each with its run. @throws UNKNOWN_BASELINE, INVALID_BASELINE */
export async function showBaseline({ name, store: folder = defaults.store }: ShowBaselineOptions): Promise<Baseline> {
  return loadBaseline(folder, name);
}
