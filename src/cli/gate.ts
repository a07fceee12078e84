import { existsSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';
import { gateAgainstBaseline } from '../compare/against-baseline.ts';
import { assemble } from '../compare/assemble.ts';
import { gateSuite } from '../compare/gate-suite.ts';
import { checkGates } from '../compare/rules-of.ts';
import { defaultStore, loadBaseline, loadCalibrations } from '../compare/store.ts';
import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { Comparison } from '../contract/verdict.ts';
import { planUpTo } from '../decide/sequential.ts';
import { checkoutOf, ownCheckout } from '../measure/arm.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { planCells, recordedBackends } from '../measure/plan-cells.ts';
import { progress, remark } from './console.ts';
import type { CommonFlags, ExitCode } from './console.ts';
import { describeRun } from './describe-run.ts';
import type { RunHead } from './describe-run.ts';
import { emitVerdict } from './emit-verdict.ts';
import type { VerdictFlags } from './emit-verdict.ts';
import { builtInSuites, loadSuite } from './load-suite.ts';
import type { LoadedSuite } from './load-suite.ts';
import { measuring } from './measuring.ts';
import type { MeasuringFlags } from './measuring.ts';

export interface GateFlags extends MeasuringFlags, VerdictFlags {
  readonly baseDir?: string;
  readonly baseline?: string;
  readonly seed: number;
  readonly store?: string;
  readonly threads?: number;
}

/** Measures, compares and decides what a suite's gates declare. */
export async function gate(suiteName: string, flags: GateFlags, builtIn: readonly AdapterEntry[]): Promise<ExitCode> {
  if (flags.baseDir !== undefined && flags.baseline !== undefined) {
    throw new AttnswapError('USAGE', '--base-dir and --baseline exclude each other', {
      hint: 'the base is either measured now, or stored',
    });
  }
  const loaded = await loadSuite(suiteName);
  const adapters = [...loaded.adapters, ...builtIn];
  const plans = await planCells(loaded.suite, adapters);
  checkGates(loaded.suite, plans);
  const startedAt = new Date().toISOString();
  const { tool, command, host, warnings } = await headOf(loaded, adapters, flags);
  const given = { loaded, plans, host, fingerprint: host.fingerprint.sha256, adapters, suiteName };
  const comparisons =
    flags.baseline === undefined ? await againstCheckout(given, flags) : await againstStored(given, flags.baseline, flags);
  const base = flags.baseline === undefined ? (flags.baseDir ?? 'this checkout') : `baseline ${flags.baseline}`;
  const head = { tool, kind: 'gate' as const, name: loaded.suite.name, command, startedAt, host, base, seed: flags.seed, warnings };
  return emitVerdict(assemble(head, comparisons), flags);
}

interface Given {
  readonly loaded: LoadedSuite;
  readonly suiteName: string;
  readonly plans: readonly CellPlan[];
  readonly fingerprint: string;
  readonly host: RunHead['host'];
  readonly adapters: readonly AdapterEntry[];
}

async function headOf({ suite }: LoadedSuite, adapters: readonly AdapterEntry[], flags: CommonFlags): Promise<RunHead> {
  const head = await describeRun(recordedBackends(suite, adapters), adapters);
  for (const warning of head.warnings) remark(`noise: ${warning}`, flags);
  return head;
}

async function againstCheckout({ loaded, plans, fingerprint, adapters, suiteName }: Given, flags: GateFlags): Promise<Comparison[]> {
  const base = flags.baseDir === undefined ? ownCheckout : checkoutOf(flags.baseDir);
  const basePlans =
    flags.baseDir === undefined ? plans : await planCells((await baseSuite(suiteName, flags.baseDir, loaded)).suite, adapters);
  const calibrations = await loadCalibrations(flags.store ?? defaultStore);
  const bar = barOf(flags);
  return measuring(flags, (signal) =>
    gateSuite({
      suite: loaded.suite,
      plans,
      basePlans,
      base,
      calibrations,
      fingerprint,
      seed: flags.seed,
      looks: planUpTo(flags.maxBlocks),
      blockSeconds: flags.blockSeconds,
      ...(flags.threads !== undefined && { threads: flags.threads }),
      signal,
      now: new Date(),
      progress: bar.step,
    }),
  ).finally(bar.stop);
}

/** The suite as the base has it, so that cells that vanished are seen; this one where the base has no such file. */
async function baseSuite(suiteName: string, baseDir: string, own: LoadedSuite): Promise<LoadedSuite> {
  if ((builtInSuites as readonly string[]).includes(suiteName)) return own;
  const path = resolve(baseDir, isAbsolute(suiteName) ? relative(process.cwd(), suiteName) : suiteName);
  return existsSync(path) ? loadSuite(path) : own;
}

async function againstStored({ loaded, plans, fingerprint, host }: Given, name: string, flags: GateFlags): Promise<Comparison[]> {
  const store = flags.store ?? defaultStore;
  const baseline = await loadBaseline(store, name);
  const calibrations = await loadCalibrations(store);
  const bar = barOf(flags);
  return measuring(flags, (signal) =>
    gateAgainstBaseline({
      suite: loaded.suite,
      plans,
      baseline,
      calibrations,
      fingerprint,
      host,
      now: new Date(),
      signal,
      progress: bar.step,
    }),
  ).finally(bar.stop);
}

/** A progress bar that learns its total with the first step. */
export function barOf(flags: CommonFlags) {
  let bar: ReturnType<typeof progress> | undefined;
  return {
    step: (done: number, total: number, label: string) => {
      bar ??= progress(total, flags);
      bar.update(done, label);
    },
    stop: () => bar?.stop(),
  };
}
