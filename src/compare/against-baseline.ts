import type { CellRecord } from '../contract/cell.ts';
import type { Suite } from '../contract/suite.ts';
import type { Comparison, Metric } from '../contract/verdict.ts';
import { heldToLimit, judgeFigures, judgeMissing } from '../decide/judge-figures.ts';
import { judgeLaunches, leastLaunches } from '../decide/judge-launches.ts';
import { isCalibrated, varies } from '../decide/rule.ts';
import type { Rule, ComparisonSubject } from '../decide/rule.ts';
import { measureCell } from '../measure/measure-cell.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { kernelName, sameSetting, withoutLength } from '../measure/plan-cells.ts';
import { median } from '../statistics/order-statistics.ts';
import { compareHosts } from '../measure/same-host.ts';
import type { HostComparison } from '../measure/same-host.ts';
import { fingerprintOf } from './baseline.ts';
import type { Baseline } from './baseline.ts';
import { figureOf, growthId, growthOf } from './figures-of.ts';
import { judgePortable } from './judge-portable.ts';
import { calibrationFor } from './calibration.ts';
import type { Calibration } from './calibration.ts';
import { rulesOf } from './rules-of.ts';

export interface BaselineGate {
  readonly suite: Suite;
  readonly plans: readonly CellPlan[];
  readonly baseline: Baseline;
  readonly calibrations: readonly Calibration[];
  /** As a record describes it. */
  readonly host: unknown;
  readonly now: Date;
  readonly signal?: AbortSignal | undefined;
  progress?(done: number, total: number, label: string): void;
}

/** Metrics that differ from machine to machine. */
const hostBound = new Set<Metric>(['latency', 'peak-memory', 'memory-growth']);

/**
 * Measures the suite's cells, three launches each, and judges them against a stored baseline; against a portable one, once, and what carries to
 * any machine.
 */
export async function gateAgainstBaseline(gate: BaselineGate): Promise<Comparison[]> {
  const { suite, plans, baseline } = gate;
  const today = gate.now.toISOString().slice(0, 10);
  const launches = Array.from({ length: baseline.portable === undefined ? leastLaunches : 1 }, () => new Map<string, CellRecord>());
  for (const [done, plan] of plans.entries()) {
    gate.progress?.(done, plans.length, plan.cell.id);
    for (const launch of launches) launch.set(plan.cell.id, await measureCell(plan, gate));
  }
  const stored = baseline.runs.map(({ run }) => new Map(run.cells.map((cell) => [cell.id, cell])));
  const tasks = plans.flatMap((plan) => rulesOf(plan, suite.gates, today).map((rule) => ({ plan, rule })));
  const family = tasks.filter(({ rule }) => varies(rule.metric)).length;
  const { growth = [], single = [] } = Object.groupBy(tasks, ({ rule }) => (rule.metric === 'memory-growth' ? 'growth' : 'single'));
  const comparisons = [
    ...single.map((task) => judge({ ...task, alike: [task.plan], launches, stored, family }, gate)),
    ...[...Map.groupBy(growth, ({ plan }) => withoutLength(plan.cell)).values()].map((tasksAlike) =>
      judge({ ...tasksAlike[0]!, alike: tasksAlike.map(({ plan }) => plan), launches, stored, family }, gate),
    ),
  ];
  const declared = new Set(plans.map(({ cell }) => cell.id));
  const gone = [...new Set(baseline.portable?.declared ?? baseline.runs.flatMap(({ run }) => run.declared))].filter(
    (id) => !declared.has(id),
  );
  const anyRule = tasks[0]!.rule;
  return [
    ...comparisons,
    ...gone.map((id) =>
      judgeMissing({ cell: id, name: id }, anyRule, 'incomplete', 'the baseline has this cell, but the suite no longer declares it'),
    ),
  ];
}

type CellsById = ReadonlyMap<string, CellRecord>;

interface Task {
  readonly plan: CellPlan;
  readonly rule: Rule;
  /** The cells that the figure is of: the plan's own, or those of all lengths where it tells how memory grows with them. */
  readonly alike: readonly CellPlan[];
  readonly launches: readonly CellsById[];
  readonly stored: readonly CellsById[];
  readonly family: number;
}

function judge(task: Task, gate: BaselineGate): Comparison {
  const { plan, rule, family } = task;
  const subject: ComparisonSubject = { cell: growthId(task.alike.map(({ cell }) => cell)), name: kernelName(plan) };
  const bad = task.alike
    .flatMap(({ cell: { id } }) => task.launches.map((launch) => launch.get(id)!))
    .find(({ status }) => status !== 'ok');
  if (bad !== undefined)
    return judgeMissing(subject, rule, bad.status === 'unsupported' ? 'incomplete' : 'error', `${bad.status}: ${bad.reason ?? ''}`);
  const { differing } = hostsOf(gate);
  if (hostBound.has(rule.metric) && differing.length > 0) {
    const reason = `${gate.baseline.name} was measured on a different host or configuration: ${differing.join(', ')}`;
    return judgeMissing(subject, rule, 'incomparable', reason);
  }
  const reference = gate.plans.find((other) => kernelName(other) === gate.suite.reference && sameSetting(other, plan));
  const figures = (runs: readonly CellsById[]) =>
    runs.flatMap((run) => {
      const value =
        rule.metric === 'memory-growth'
          ? growthOf(task.alike.map(({ cell: { id } }) => run.get(id)))
          : figureOf(rule.metric, run.get(plan.cell.id), run.get(reference?.cell.id ?? ''));
      return value === null || value === undefined ? [] : [value];
    });
  const fresh = figures(task.launches);
  if (fresh.length === 0) return judgeMissing(subject, rule, 'incomplete', `${rule.metric} was not measured`);
  if (gate.baseline.portable !== undefined) return judgePortable(subject, rule, median(fresh), gate.baseline.portable);
  const base = figures(task.stored);
  if (base.length === 0 && rule.limit === null)
    return judgeMissing(subject, rule, 'incomplete', `${gate.baseline.name} has no ${rule.metric} for this cell`);
  // Without a base there is the limit alone.
  if (base.length === 0 || !varies(rule.metric))
    return judgeFigures(subject, rule, { base: base.length === 0 ? null : median(base), new: median(fresh) });
  const floor = isCalibrated(rule.metric) ? (calibrationFor(gate.calibrations, plan.cell, gate)?.floor ?? null) : null;
  const judged = heldToLimit(judgeLaunches(subject, rule, { base, new: fresh }, { floor, family }), rule);
  const notCompared = hostsOf(gate).unknown.map((part) => `the ${part} could not be read and was not compared with the baseline's`);
  return { ...judged, warnings: [...judged.warnings, ...notCompared] };
}

/** The baseline's host beside this one; a portable one speaks for every host. */
function hostsOf({ baseline, host }: BaselineGate): HostComparison {
  if (baseline.portable !== undefined || fingerprintOf({ host }) === baseline.fingerprint) return { differing: [], unknown: [] };
  const stored = baseline.runs.find(({ run }) => fingerprintOf(run) === baseline.fingerprint);
  return compareHosts(stored?.run.host, host);
}
