import type { AdapterEntry } from '../contract/adapter.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { RunRecord } from '../contract/run.ts';
import { measureCeilings } from '../measure/ceilings.ts';
import { planCells, recordedBackends } from '../measure/plan-cells.ts';
import { loadRun, writeRun, writeWhole } from '../measure/run-store.ts';
import { runSuite } from '../measure/run-suite.ts';
import { requireWritableFile } from '../measure/writable.ts';
import { runCsv } from '../report/run-csv.ts';
import { benchTable } from './bench-table.ts';
import { measuring } from './measuring.ts';
import { exitCodes, print, printJson, progress, remark, suggest } from './console.ts';
import type { ExitCode } from './console.ts';
import type { MeasuringFlags } from './measuring.ts';
import { describeRun } from './describe-run.ts';
import { loadSuite } from './load-suite.ts';

export interface BenchFlags extends MeasuringFlags {
  readonly out?: string;
  readonly csv?: string;
  readonly resume?: boolean;
  readonly threads?: number;
}

/** Measures a suite: table on standard output, record (and CSV) in files. Exit 3 where a declared cell was not measured. */
export async function bench(suiteName: string, flags: BenchFlags, builtIn: readonly AdapterEntry[]): Promise<ExitCode> {
  const { suite, sha256, ...loaded } = await loadSuite(suiteName);
  const adapters = [...loaded.adapters, ...builtIn];
  const plans = await planCells(suite, adapters);
  const out = flags.out ?? `runs/${suite.name}.run.json`;
  await requireWritableFile(out);
  const resumed = flags.resume === true ? await resumable(out, sha256) : undefined;
  const described = await describeRun(recordedBackends(suite, adapters), adapters);
  for (const warning of described.warnings) remark(`noise: ${warning}`, flags);
  const bar = progress(plans.length, flags);
  const run = await measuring(flags, async (signal) => {
    const ceilings = await ceilingsFor([...new Set(plans.map(({ cell }) => cell.backend))], { adapters, resumed, signal, ...flags });
    return runSuite({
      head: { suite: { name: suite.name, sha256, reference: suite.reference }, ...described, ceilings },
      suite,
      plans,
      signal,
      ...(resumed !== undefined && { resumed }),
      ...(flags.threads !== undefined && { threads: flags.threads }),
      save: (record) => writeRun(out, record),
      progress: ({ done, cell }) => bar.update(done, cell),
    });
  }).finally(() => bar.stop());
  if (flags.csv !== undefined) await writeWhole(flags.csv, runCsv(run));
  if (flags.json === true) printJson(run);
  else print(benchTable(run));
  remark(`record: ${out}${flags.csv === undefined ? '' : `, CSV: ${flags.csv}`}`, flags);
  suggest(['report', out], flags);
  return exitCodeOf(run);
}

/** 3 where a cell is missing, 5 where one failed or is wrong. A backend that this machine lacks is a missing cell too. */
function exitCodeOf(run: RunRecord): ExitCode {
  if (run.cells.some(({ status }) => status === 'mismatch' || status === 'failed' || status === 'timed-out')) return exitCodes.error;
  return run.complete && run.cells.every(({ status }) => status === 'ok') ? exitCodes.pass : exitCodes.incomplete;
}

interface CeilingOptions {
  readonly adapters: readonly AdapterEntry[];
  readonly resumed: RunRecord | undefined;
  readonly signal: AbortSignal;
  readonly threads?: number;
}

/** Measured once a run. An interruption before the first cell leaves them out. */
async function ceilingsFor(backends: readonly string[], { adapters, resumed, ...options }: CeilingOptions): Promise<RunRecord['ceilings']> {
  if (resumed !== undefined && Object.keys(resumed.ceilings).length > 0) return resumed.ceilings;
  return measureCeilings(adapters, backends, options).catch((error: unknown) => {
    if (options.signal.aborted) return {};
    throw error;
  });
}

async function resumable(path: string, sha256: string): Promise<RunRecord> {
  const run = await loadRun(path);
  if (run.suite.sha256 === sha256) return run;
  throw new AttnswapError('INVALID_RUN', `${path}: its suite was another version of ${run.suite.name}`, {
    hint: 'measure anew, without --resume',
  });
}
