import type { CellRecord } from '../contract/cell.ts';
import type { Suite } from '../contract/suite.ts';
import type { Comparison, Metric } from '../contract/verdict.ts';
import { judgeFigures, judgeMissing } from '../decide/judge-figures.ts';
import { judgeLaunches, leastLaunches } from '../decide/judge-launches.ts';
import { varies } from '../decide/rule.ts';
import type { Rule, Subject } from '../decide/rule.ts';
import { measureCell } from '../measure/measure-cell.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { kernelName, sameSetting } from '../measure/plan-cells.ts';
import { median } from '../statistics/order-statistics.ts';
import { wasteReportSchema } from '../waste/schema.ts';
import type { Baseline } from './baseline.ts';
import { calibrationFor } from './calibration.ts';
import type { Calibration } from './calibration.ts';
import { rulesOf } from './rules-of.ts';

export interface BaselineGate {
  readonly suite: Suite;
  readonly plans: readonly CellPlan[];
  readonly baseline: Baseline;
  readonly calibrations: readonly Calibration[];
  readonly fingerprint: string;
  readonly now: Date;
  readonly signal?: AbortSignal;
  progress?(done: number, total: number, label: string): void;
}

/** Metrics that differ from machine to machine. */
const hostBound = new Set<Metric>(['latency', 'peak-memory', 'memory-growth']);
/** Measures the suite's cells, three launches each, and judges them against a stored baseline. */
export async function gateAgainstBaseline(gate: BaselineGate): Promise<Comparison[]> {
  const { suite, plans, baseline } = gate;
  const today = gate.now.toISOString().slice(0, 10);
  const launches = new Map<string, CellRecord[]>();
  for (const [done, plan] of plans.entries()) {
    gate.progress?.(done, plans.length, plan.cell.id);
    const records: CellRecord[] = [];
    for (let launch = 0; launch < leastLaunches; launch++) records.push(await measureCell(plan, gate));
    launches.set(plan.cell.id, records);
  }
  const stored = baseline.runs.map(({ run }) => new Map(run.cells.map((cell) => [cell.id, cell])));
  const tasks = plans.flatMap((plan) => rulesOf(plan, suite.gates, today).map((rule) => ({ plan, rule })));
  const family = tasks.filter(({ rule }) => varies(rule.metric)).length;
  const comparisons = tasks.map(({ plan, rule }) => judge({ plan, rule, launches, stored, family }, gate));
  const declared = new Set(plans.map(({ cell }) => cell.id));
  const gone = [...new Set(baseline.runs.flatMap(({ run }) => run.declared))].filter((id) => !declared.has(id));
  const anyRule = tasks[0]!.rule;
  return [
    ...comparisons,
    ...gone.map((id) =>
      judgeMissing({ cell: id, name: id }, anyRule, 'incomplete', 'the baseline declares this cell, this suite does not: it vanished'),
    ),
  ];
}

interface Task {
  readonly plan: CellPlan;
  readonly rule: Rule;
  readonly launches: ReadonlyMap<string, readonly CellRecord[]>;
  readonly stored: ReadonlyArray<ReadonlyMap<string, CellRecord>>;
  readonly family: number;
}

function judge(task: Task, gate: BaselineGate): Comparison {
  const { plan, rule, family } = task;
  const subject: Subject = { cell: plan.cell.id, name: kernelName(plan) };
  const records = task.launches.get(plan.cell.id) ?? [];
  const bad = records.find(({ status }) => status !== 'ok');
  if (bad !== undefined)
    return judgeMissing(subject, rule, bad.status === 'unsupported' ? 'incomplete' : 'error', `${bad.status}: ${bad.reason ?? ''}`);
  if (hostBound.has(rule.metric) && gate.fingerprint !== gate.baseline.fingerprint) {
    return judgeMissing(subject, rule, 'incomparable', `${gate.baseline.name} was measured on another host or configuration`);
  }
  const reference = gate.plans.find((other) => kernelName(other) === gate.suite.reference && sameSetting(other, plan));
  const base = figuresOf(
    rule.metric,
    task.stored.map((run) => ({ cell: run.get(plan.cell.id), reference: run.get(reference?.cell.id ?? '') })),
  );
  const referenceRecords = reference === undefined ? [] : (task.launches.get(reference.cell.id) ?? []);
  const fresh = figuresOf(
    rule.metric,
    records.map((cell, launch) => ({ cell, reference: referenceRecords[launch] })),
  );
  if (fresh.length === 0) return judgeMissing(subject, rule, 'incomplete', `${rule.metric} was not measured`);
  if (base.length === 0 && rule.limit === null)
    return judgeMissing(subject, rule, 'incomplete', `${gate.baseline.name} holds no ${rule.metric} of this cell`);
  if (!varies(rule.metric)) return judgeFigures(subject, rule, { base: base.length === 0 ? null : median(base), new: median(fresh) });
  const calibration = calibrationFor(gate.calibrations, plan.cell, { fingerprint: gate.fingerprint, now: gate.now });
  return judgeLaunches(subject, rule, { base, new: fresh }, { floor: calibration?.floor ?? null, family });
}

/** The metric of each launch that has it. */
function figuresOf(metric: Metric, launches: ReadonlyArray<{ cell: CellRecord | undefined; reference: CellRecord | undefined }>): number[] {
  const read = (cell: CellRecord, reference: CellRecord | undefined): number | null | undefined => {
    switch (metric) {
      case 'latency':
        return cell.latency?.medianNs;
      case 'peak-memory':
        return cell.memory && Math.max(4096, cell.memory.peakDeviceBytes ?? cell.memory.peakHostBytes);
      case 'error':
        return cell.error?.relative;
      case 'scored-pairs':
        return cell.work?.scoredPairs;
      case 'waste': {
        const report = wasteReportSchema.safeParse(cell.waste);
        return report.success ? report.data.overall.kernelWaste.p95?.value : undefined;
      }
      case 'ratio-to-reference':
        return cell.latency && reference?.latency && cell.latency.medianNs / reference.latency.medianNs;
      default:
        return undefined;
    }
  };
  return launches.flatMap(({ cell, reference }) => {
    const value = cell === undefined ? undefined : read(cell, reference);
    return value === null || value === undefined ? [] : [value];
  });
}
