import type { Suite } from '../contract/suite.ts';
import type { Comparison } from '../contract/verdict.ts';
import { judgeMissing } from '../decide/judge-figures.ts';
import { isCalibrated, varies } from '../decide/rule.ts';
import type { Rule, ComparisonSubject } from '../decide/rule.ts';
import type { LookPlan } from '../decide/sequential.ts';
import { armOf } from '../measure/arm.ts';
import type { Checkout } from '../measure/arm.ts';
import type { CellPlan } from '../measure/measure-cell.ts';
import { kernelName, sameSetting, withoutLength } from '../measure/plan-cells.ts';
import { calibrationFor, refusalOf } from './calibration.ts';
import type { Calibration } from './calibration.ts';
import { compareGrowth } from './compare-memory.ts';
import { gateCell } from './gate-cell.ts';
import type { CellArms, GateCellOptions, KnownFacts } from './gate-cell.ts';
import { rulesOf } from './rules-of.ts';
import { seesSlowdowns, selfTested, slowedTask } from './self-test.ts';

export interface GateRun {
  readonly suite: Suite;
  readonly plans: readonly CellPlan[];
  /** Cells that the base's own suite declares. */
  readonly basePlans: readonly CellPlan[];
  readonly base: Checkout;
  readonly calibrations: readonly Calibration[];
  /** This one, as a record describes it. */
  readonly host: unknown;
  readonly seed: number;
  readonly looks: LookPlan;
  /** What the rounds of one block should take, seconds. */
  readonly blockSeconds: number;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly now: Date;
  /** Slows the new arm of every timed comparison by twice its margin: passes where that is called a regression. */
  readonly selfTest?: boolean;
  progress?(done: number, total: number, label: string): void;
}

interface Task {
  readonly plan: CellPlan;
  readonly rule: Rule;
  readonly subject: ComparisonSubject;
}

/**
 * Measures both sides of every gate, one comparison after another, and judges them. An abort leaves what is not judged yet as
 * incomplete, and keeps the rest.
 */
export async function gateSuite(run: GateRun): Promise<Comparison[]> {
  const today = run.now.toISOString().slice(0, 10);
  const declared = run.plans.flatMap((plan) =>
    rulesOf(plan, run.suite.gates, today).map((rule): Task => ({ plan, rule, subject: subjectOf(plan) })),
  );
  const tasks = run.selfTest === true ? declared.filter(seesSlowdowns).map(slowedTask) : declared;
  const family = tasks.filter(({ rule }) => varies(rule.metric)).length;
  const single = tasks.filter(({ rule }) => rule.metric !== 'memory-growth');
  const facts: KnownFacts = new Map();
  const comparisons: Comparison[] = [];
  for (const [done, task] of single.entries()) {
    if (run.signal?.aborted !== true)
      run.progress?.(done, single.length, `${task.subject.name} ${task.plan.cell.shape.keys}: ${task.rule.metric}`);
    const comparison = await unlessAborted(() => judgeTask(task, { family, facts }, run), task, run);
    comparisons.push(run.selfTest === true ? selfTested(comparison, task.rule) : comparison);
  }
  const growth = tasks.filter(({ rule }) => rule.metric === 'memory-growth');
  for (const group of Map.groupBy(growth, ({ plan }) => withoutLength(plan.cell)).values())
    comparisons.push(await unlessAborted(() => judgeGrowth(group, family, run), group[0]!, run));
  return [...comparisons, ...vanished(run)];
}

async function unlessAborted(judge: () => Promise<Comparison>, { subject, rule }: Task, { signal }: GateRun): Promise<Comparison> {
  try {
    signal?.throwIfAborted();
    return await judge();
  } catch (error) {
    if (signal?.aborted !== true) throw error;
    return judgeMissing(subject, rule, 'incomplete', 'interrupted before this was judged');
  }
}

function subjectOf(plan: CellPlan): ComparisonSubject {
  return { cell: plan.cell.id, name: kernelName(plan) };
}

async function judgeTask(
  { plan, rule, subject }: Task,
  shared: Pick<GateCellOptions, 'family' | 'facts'>,
  run: GateRun,
): Promise<Comparison> {
  const calibration = isCalibrated(rule.metric) ? calibrationFor(run.calibrations, plan.cell, run) : undefined;
  const refusal = calibration === undefined || rule.limit !== null ? undefined : refusalOf(rule.margin, calibration);
  if (refusal !== undefined) return judgeMissing(subject, rule, 'refused', refusal);
  const basePlan = run.basePlans.find(({ cell }) => cell.id === plan.cell.id);
  if (basePlan === undefined)
    return judgeMissing(subject, { ...rule, decides: false }, 'incomplete', 'new: the base does not declare this cell');
  const options: GateCellOptions = {
    ...optionsOf(run),
    seed: run.seed,
    ...shared,
    floor: calibration?.floor ?? null,
    plan: run.looks,
    blockSeconds: run.blockSeconds,
  };
  return gateCell(armsOf(plan, basePlan, run), subject, rule, options);
}

function optionsOf({ suite, signal }: GateRun) {
  return { timeoutSeconds: suite.timeoutSeconds, wasteRows: suite.wasteRows, signal };
}

function armsOf(plan: CellPlan, basePlan: CellPlan, run: GateRun): CellArms {
  const pairOf = (fresh: CellPlan, base: CellPlan) => ({
    base: armOf(base, run.base, run.threads),
    new: armOf(fresh, undefined, run.threads),
  });
  const isReference = (other: CellPlan) => kernelName(other) === run.suite.reference && sameSetting(other, plan);
  const reference = run.plans.find(isReference);
  const baseReference = run.basePlans.find(isReference);
  if (reference === undefined || baseReference === undefined) return pairOf(plan, basePlan);
  return { ...pairOf(plan, basePlan), reference: pairOf(reference, baseReference) };
}

/** How the peak of cells that differ in nothing but their length grows with it. */
async function judgeGrowth(group: readonly Task[], family: number, run: GateRun): Promise<Comparison> {
  const { rule, subject } = group[0]!;
  const lengths = group.map(({ plan }) => plan.cell.shape.keys);
  const at = { ...subject, cell: `${subject.cell} … ${lengths.at(-1)}` };
  if (new Set(lengths).size < 2) return judgeMissing(at, rule, 'incomplete', 'memory growth needs at least two lengths');
  const pairs = group.map(({ plan }) => armsOf(plan, run.basePlans.find(({ cell }) => cell.id === plan.cell.id) ?? plan, run));
  const arms = { base: pairs.map(({ base }) => base), new: pairs.map((pair) => pair.new) };
  return compareGrowth(arms, lengths, at, rule, { ...optionsOf(run), family });
}

/** Cells that the base declares and this suite does not: a cell that vanished is never a pass. */
function vanished({ suite, plans, basePlans, now }: GateRun): Comparison[] {
  const gone = basePlans.filter(({ cell }) => !plans.some((plan) => plan.cell.id === cell.id));
  return gone.flatMap((plan) =>
    rulesOf(plan, suite.gates, now.toISOString().slice(0, 10)).map((rule) =>
      judgeMissing(subjectOf(plan), rule, 'incomplete', 'the base has this cell, but the suite no longer declares it'),
    ),
  );
}
