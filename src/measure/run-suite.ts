import type { AdapterEntry } from '../contract/adapter.ts';
import type { CellRecord } from '../contract/cell.ts';
import { runSchemaName } from '../contract/run.ts';
import type { RunRecord } from '../contract/run.ts';
import type { Suite } from '../contract/suite.ts';
import { tamed } from '../text/untrusted.ts';
import { measureCells } from './measure-cell.ts';
import type { CellPlan } from './measure-cell.ts';
import { fitSideBySide } from './side-by-side.ts';

export interface RunOptions {
  readonly head: Pick<RunRecord, 'tool' | 'suite' | 'command' | 'host' | 'backends' | 'warnings' | 'ceilings'>;
  readonly suite: Suite;
  readonly plans: readonly CellPlan[];
  /** A record to continue: cells that it measured are kept. */
  readonly resumed?: RunRecord;
  readonly threads?: number | undefined;
  readonly energy?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called with the whole record after every cell, and once at the end. */
  save(record: RunRecord): Promise<void>;
  progress?(event: { readonly done: number; readonly total: number; readonly cell: string }): void;
}

/** Measures the planned cells, each timed alone; two are prepared side by side where they fit. An abort leaves the record incomplete, and valid. */
export async function runSuite(options: RunOptions): Promise<RunRecord> {
  const { plans, head } = options;
  const kept = new Map((options.resumed?.cells ?? []).filter(isFinal).map((cell) => [cell.id, cell]));
  const startedAt = options.resumed?.startedAt ?? new Date().toISOString();
  const record = (complete: boolean): RunRecord => ({
    schema: runSchemaName,
    ...head,
    startedAt,
    endedAt: complete ? new Date().toISOString() : null,
    complete,
    declared: plans.map(({ cell }) => cell.id),
    cells: plans.flatMap(({ cell }) => kept.get(cell.id) ?? []),
  });
  const missing = plans.filter(({ cell }) => !kept.has(cell.id));
  const tell = (plan: CellPlan | undefined) =>
    plan && options.progress?.({ done: plans.indexOf(plan), total: plans.length, cell: plan.cell.id });
  try {
    while (missing.length > 0) {
      const group = missing.splice(0, fitSideBySide(missing.slice(0, 2)) ? 2 : 1);
      let next = 0;
      tell(group[next]);
      for await (const measured of measureCells(group, options)) {
        kept.set(measured.id, measured);
        await options.save(record(false));
        next += 1;
        tell(group[next]);
      }
    }
  } catch (error) {
    if (options.signal?.aborted !== true) throw error;
  }
  const final = record(kept.size === plans.length);
  await options.save(final);
  return final;
}

/** Whether resuming keeps the cell: what failed or ran out of time is tried again. */
function isFinal(cell: CellRecord): boolean {
  return cell.status !== 'failed' && cell.status !== 'timed-out';
}

/** The status of every backend that the plans name. */
export async function backendStatuses(entries: readonly AdapterEntry[], names: readonly string[]): Promise<Record<string, unknown>> {
  const statuses: Record<string, unknown> = {};
  for (const entry of entries) {
    const wanted = entry.backends.filter((name) => names.includes(name));
    if (wanted.length === 0) continue;
    const adapter = await entry.load();
    for (const name of wanted) statuses[name] = tamed(await adapter.status(name));
  }
  return statuses;
}
