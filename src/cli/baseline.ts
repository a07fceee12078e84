import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promote } from '../compare/baseline.ts';
import type { Baseline } from '../compare/baseline.ts';
import { portableOf } from '../compare/portable-baseline.ts';
import { baselineNames, defaultStore, loadBaseline, saveBaseline } from '../compare/store.ts';
import { AttnswapError } from '../contract/errors.ts';
import { loadRun } from '../measure/run-store.ts';
import { median } from '../statistics/order-statistics.ts';
import { nameOf } from '../report/cell-facts.ts';
import { exitCodes, print, printJson } from './console.ts';
import type { CommonFlags, ExitCode } from './console.ts';
import { digits, percent, time } from '../text/figures.ts';
import { printable } from './format.ts';
import { table } from '../text/layout.ts';

export interface BaselineFlags extends CommonFlags {
  readonly store?: string;
  readonly reason?: string;
  readonly by?: string;
  readonly replace?: boolean;
  readonly portable?: boolean;
}

/** Promotes runs into a baseline: only whole, clean ones of one host and suite, with who, when and why. */
export async function saveRuns(name: string, files: readonly string[], flags: BaselineFlags): Promise<ExitCode> {
  const store = flags.store ?? defaultStore;
  if (flags.reason === undefined) throw new AttnswapError('USAGE', 'a promotion needs a reason', { hint: "--reason 'release 1.2'" });
  const runs = [];
  for (const file of files) runs.push(await loadRun(file));
  // A portable one is made anew: it keeps no runs that others could be added to.
  const known = existsSync(join(store, 'baselines', `${name}.json`)) && flags.replace !== true && flags.portable !== true;
  const existing = known ? await loadBaseline(store, name) : undefined;
  const promotion = { name, by: flags.by ?? userInfo().username, reason: flags.reason, promotedAt: new Date().toISOString() };
  const promoted = promote(runs, promotion, existing);
  const baseline = flags.portable === true ? portableOf(promoted) : promoted;
  const path = await saveBaseline(store, baseline);
  if (flags.json === true) printJson({ path, baseline });
  else
    print(`${path}: ${promoted.runs.length} run${promoted.runs.length === 1 ? '' : 's'} of ${printable(promoted.runs[0]!.run.suite.name)}`);
  return exitCodes.pass;
}

/** Every stored baseline in a line. */
export async function listBaselines(flags: BaselineFlags): Promise<ExitCode> {
  const store = flags.store ?? defaultStore;
  const baselines: Baseline[] = [];
  for (const name of baselineNames(store)) baselines.push(await loadBaseline(store, name));
  if (flags.json === true) printJson(baselines.map(({ name, fingerprint, runs }) => ({ name, fingerprint, runs: runs.length })));
  else if (baselines.length === 0) print(`${store} holds no baselines: attnswap baseline save <name> <run.json …> --reason '…'`);
  else print(table([['name', 'suite', 'runs', 'host', 'latest'], ...baselines.map(summaryLine)]));
  return exitCodes.pass;
}

function summaryLine({ name, fingerprint, runs, portable }: Baseline): string[] {
  if (portable !== undefined)
    return [printable(name), printable(portable.suite.name), String(portable.runs), 'portable', portable.promotedAt.slice(0, 10)];
  const latest = runs.at(-1)!;
  return [printable(name), printable(latest.run.suite.name), String(runs.length), fingerprint.slice(0, 12), latest.promotedAt.slice(0, 10)];
}

/** What a baseline holds: its promotions, and each cell's median over its runs. */
export async function showBaseline(name: string, flags: BaselineFlags): Promise<ExitCode> {
  const baseline = await loadBaseline(flags.store ?? defaultStore, name);
  if (flags.json === true) printJson(baseline);
  else print(baseline.portable === undefined ? `${promotions(baseline)}\n\n${cells(baseline)}` : portableText(baseline.portable));
  return exitCodes.pass;
}

function portableText({ promotedAt, by, reason, runs, tool, host, figures }: NonNullable<Baseline['portable']>): string {
  const about = `${runs} runs on ${host.cpu}, ${host.availableCores} cores, ${host.system}; attnswap ${tool}; promoted ${promotedAt.slice(0, 10)} by ${by}: ${reason}`;
  const rows = Object.entries(figures).flatMap(([cell, own]) =>
    Object.entries(own).map(([metric, value]) => [cell, metric, digits(value)]),
  );
  return `${printable(about)}\n\n${table([['cell', 'metric', 'figure'], ...rows.map((row) => row.map(printable))])}`;
}

function promotions({ runs }: Baseline): string {
  const rows = runs.map(({ promotedAt, by, reason, run }) => [
    promotedAt.slice(0, 16),
    run.startedAt.slice(0, 16),
    printable(by),
    printable(reason),
  ]);
  return table([['promoted', 'measured', 'by', 'why'], ...rows]);
}

function cells({ runs }: Baseline): string {
  const latest = runs.at(-1)!.run;
  const rows = latest.cells.map((cell) => {
    const medians = runs.flatMap(({ run }) => run.cells.find(({ id }) => id === cell.id)?.latency?.medianNs ?? []);
    const spread = medians.length < 2 ? '–' : percent((Math.max(...medians) - Math.min(...medians)) / median(medians));
    return [nameOf(cell), String(cell.shape.queries), cell.backend, time(median(medians)), spread, String(medians.length)];
  });
  return table([['cell', 'tokens', 'backend', 'median', 'range', 'runs'], ...rows]);
}
