import { existsSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';
import { gateAgainstBaseline } from '../compare/against-baseline.ts';
import { assemble } from '../compare/assemble.ts';
import { gateSuite } from '../compare/gate-suite.ts';
import { checkGates } from '../compare/rules-of.ts';
import { selfTestSummary } from '../compare/self-test.ts';
import { loadBaseline, loadCalibrations } from '../compare/store.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Comparison, Verdict } from '../contract/verdict.ts';
import { planUpTo } from '../decide/sequential.ts';
import { builtInSuites } from '../loading/built-in.ts';
import { loadSuite } from '../loading/suite.ts';
import type { LoadedSuite } from '../loading/suite.ts';
import { alone } from '../measure/alone.ts';
import { checkoutOf, ownCheckout } from '../measure/arm.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { defaultBlockSeconds } from '../measure/pair-block.ts';
import { planCells, recordedBackends } from '../measure/plan-cells.ts';
import type { BlockOptions } from './ab.ts';
import { defaults } from './defaults.ts';
import { describeRun } from './head.ts';
import type { RunHead } from './head.ts';
import { adaptersOf } from './options.ts';
import type { OperationOptions } from './options.ts';

export interface GateOptions extends OperationOptions, BlockOptions {
  /** Name of a built-in suite, or the path of a suite file. */
  readonly suite: string;
  /** The base: a checkout or installation, measured now, in pairs. @default this one (A/A) */
  readonly baseDir?: string | undefined;
  /**
   * Judges the gates themselves: the new arm is this checkout, slowed by twice the margin, and a comparison passes where that is called a
   * regression. Only latency, CPU time and ratios without a limit are judged. @default false
   */
  readonly selfTest?: boolean | undefined;
  /** The base: name of a stored baseline of this host. */
  readonly baseline?: string | undefined;
}

/**
 * Measures, compares and decides what a suite's gates declare.
 * @throws USAGE, UNKNOWN_SUITE, INVALID_SUITE, UNKNOWN_BASELINE, BUSY, INTERRUPTED
 */
export async function gate(options: GateOptions): Promise<Verdict> {
  const { baseDir, baseline, selfTest = false, seed = defaults.seed } = options;
  if (baseDir !== undefined && baseline !== undefined) {
    throw new AttnswapError('USAGE', '--base-dir and --baseline cannot be combined', {
      hint: 'the base is either measured now or stored',
    });
  }
  if (selfTest && (baseDir !== undefined || baseline !== undefined)) {
    throw new AttnswapError('USAGE', `--self-test cannot be combined with --${baseDir === undefined ? 'baseline' : 'base-dir'}`, {
      hint: 'it compares this checkout with itself, slowed',
    });
  }
  const loaded = await loadSuite(options.suite);
  const adapters = adaptersOf(options, loaded.adapters);
  const plans = await planCells(loaded.suite, adapters);
  checkGates(loaded.suite, plans);
  const startedAt = new Date().toISOString();
  const { tool, command, host, warnings } = await describeRun(recordedBackends(loaded.suite, adapters), adapters, options);
  const given = { loaded, plans, host, adapters };
  const comparisons = baseline === undefined ? await againstCheckout(given, options) : await againstStored(given, baseline, options);
  const base = baseline === undefined ? (baseDir ?? 'this checkout') : `baseline ${baseline}`;
  const name = selfTest ? `${loaded.suite.name}, self-test` : loaded.suite.name;
  const verdict = assemble({ tool, kind: 'gate', name, command, startedAt, host, base, seed, warnings }, comparisons);
  return selfTest ? { ...verdict, summary: selfTestSummary(verdict) } : verdict;
}

interface Given {
  readonly loaded: LoadedSuite;
  readonly plans: readonly CellPlan[];
  readonly host: RunHead['host'];
  readonly adapters: readonly AdapterEntry[];
}

async function againstCheckout({ loaded, plans, host, adapters }: Given, options: GateOptions): Promise<Comparison[]> {
  const { baseDir, threads } = options;
  const base = baseDir === undefined ? ownCheckout : checkoutOf(baseDir);
  const basePlans = baseDir === undefined ? plans : await planCells((await baseSuite(options.suite, baseDir, loaded)).suite, adapters);
  const calibrations = await loadCalibrations(options.store ?? defaults.store);
  return alone(options, (signal) =>
    gateSuite({
      suite: loaded.suite,
      plans,
      basePlans,
      base,
      calibrations,
      host,
      seed: options.seed ?? defaults.seed,
      looks: planUpTo(options.maxBlocks ?? defaults.maxBlocks),
      blockSeconds: options.blockSeconds ?? defaultBlockSeconds,
      threads,
      selfTest: options.selfTest === true,
      signal,
      now: new Date(),
      progress: (done, total, what) => options.onProgress?.({ done, total, what }),
    }),
  );
}

/** The suite as the base has it, so that cells that vanished are seen; this one where the base has no such file. */
async function baseSuite(suiteName: string, baseDir: string, own: LoadedSuite): Promise<LoadedSuite> {
  if ((builtInSuites as readonly string[]).includes(suiteName)) return own;
  const path = resolve(baseDir, isAbsolute(suiteName) ? relative(process.cwd(), suiteName) : suiteName);
  return existsSync(path) ? loadSuite(path) : own;
}

async function againstStored({ loaded, plans, host }: Given, name: string, options: GateOptions): Promise<Comparison[]> {
  const store = options.store ?? defaults.store;
  const baseline = await loadBaseline(store, name);
  const calibrations = await loadCalibrations(store);
  return alone(options, (signal) =>
    gateAgainstBaseline({
      suite: loaded.suite,
      plans,
      baseline,
      calibrations,
      host,
      now: new Date(),
      signal,
      progress: (done, total, what) => options.onProgress?.({ done, total, what }),
    }),
  );
}
