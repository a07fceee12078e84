import { AttnswapError } from '../contract/errors.ts';
import type { RunRecord } from '../contract/run.ts';
import { loadSuite } from '../loading/suite.ts';
import type { LoadedSuite } from '../loading/suite.ts';
import { alone } from '../measure/alone.ts';
import { measureCeilings } from '../measure/ceilings.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { planCells, recordedBackends } from '../measure/plan-cells.ts';
import { runSuite } from '../measure/run-suite.ts';
import { writeJson } from '../files/json.ts';
import { requireWritableFile } from '../files/writable.ts';
import { describeRun } from './head.ts';
import { loadRun } from './load-run.ts';
import { adaptersOf } from './options.ts';
import type { OperationOptions } from './options.ts';

export interface BenchOptions extends OperationOptions {
  /** Name of a built-in suite, or the path of a suite file. */
  readonly suite: string;
  /** Path of the run record, rewritten atomically after every cell. @default 'runs/<suite>.run.json' */
  readonly record?: string | undefined;
  /** Keeps the cells that the record already has, and measures the rest. @default false */
  readonly resume?: boolean | undefined;
  /** Threads per operator. @default the runtime's own */
  readonly threads?: number | undefined;
  /** Whether the energy of a call is also measured. @default as the suite says */
  readonly energy?: boolean | undefined;
}

/** Where the record of a suite's run is kept, unless an option says otherwise. */
export function runPath(suite: string): string {
  return `runs/${suite}.run.json`;
}

/**
 * Measures a suite, each cell in a process of its own. An interrupted run is a record with `complete: false`, not an error.
 * @throws UNKNOWN_SUITE, INVALID_SUITE, UNKNOWN_BACKEND, INVALID_RUN, BUSY, FILE_UNWRITABLE
 */
export async function bench(options: BenchOptions): Promise<RunRecord> {
  const planned = await planSuite(await loadSuite(options.suite), options);
  const record = options.record ?? runPath(planned.suite.name);
  await requireWritableFile(record);
  const resumed = options.resume === true ? await resumable(record, planned.sha256) : undefined;
  return measurePlanned(planned, options, { resumed, save: (part) => writeJson(record, part) });
}

/** A suite, and what measures each of its cells. */
export interface PlannedSuite extends LoadedSuite {
  readonly plans: readonly CellPlan[];
}

export async function planSuite({ adapters: own, ...loaded }: LoadedSuite, options: OperationOptions): Promise<PlannedSuite> {
  const adapters = adaptersOf(options, own);
  return { ...loaded, adapters, plans: await planCells(loaded.suite, adapters) };
}

/** What a measurement goes on from, and where its record is kept after every cell. */
export interface KeptRun {
  readonly resumed: RunRecord | undefined;
  save(record: RunRecord): Promise<void>;
}

/** Measures the planned cells of a suite, alone on this machine. @throws BUSY */
export async function measurePlanned(
  { suite, sha256, adapters, plans }: PlannedSuite,
  options: Pick<BenchOptions, 'threads' | 'energy'> & OperationOptions,
  { resumed, save }: KeptRun,
): Promise<RunRecord> {
  const described = await describeRun(recordedBackends(suite, adapters), adapters, options);
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  return alone(options, async (signal) => {
    const backends = [...new Set(plans.map(({ cell }) => cell.backend))];
    const known = resumed !== undefined && Object.keys(resumed.ceilings).length > 0 ? resumed.ceilings : undefined;
    // Measured once a run. An interruption before the first cell leaves them out.
    const ceilings = known ?? (await measureCeilings(adapters, backends, { signal, ...threads }).catch(unlessAborted(signal)));
    return runSuite({
      head: { suite: { name: suite.name, sha256, reference: suite.reference }, ...described, ceilings },
      suite,
      plans,
      signal,
      energy: options.energy ?? suite.energy,
      ...(resumed !== undefined && { resumed }),
      ...threads,
      save,
      progress: ({ done, total, cell }) => options.onProgress?.({ done, total, what: cell }),
    });
  });
}

function unlessAborted(signal: AbortSignal) {
  return (error: unknown): RunRecord['ceilings'] => {
    if (signal.aborted) return {};
    throw error;
  };
}

async function resumable(path: string, sha256: string): Promise<RunRecord> {
  const run = await loadRun(path);
  if (run.suite.sha256 === sha256) return run;
  throw new AttnswapError('INVALID_RUN', `${path}: the suite ${run.suite.name} has changed since this run`, {
    hint: 'measure again without --resume',
  });
}
