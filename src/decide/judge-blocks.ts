import type { Block, Comparison, Effect } from '../contract/verdict.ts';
import { median } from '../statistics/order-statistics.ts';
import { minimumDetectableEffect } from '../statistics/power.ts';
import { defaultLooks, look } from './sequential.ts';
import type { Look, LookPlan } from './sequential.ts';
import { fixed } from '../text/figures.ts';
import { stub } from './rule.ts';
import type { Rule, ComparisonSubject } from './rule.ts';

/** The power at which a smallest detectable effect is stated. */
export const statedPower = 0.9;

export interface BlockEvidence {
  readonly blocks: readonly Block[];
  /** The A/A floor as a relative change; null where the host was not calibrated. */
  readonly floor: number | null;
  /** Comparisons judged together. */
  readonly family: number;
  readonly plan?: LookPlan;
  readonly warnings?: readonly string[];
  /** Blocks beside which other work kept as many processors busy are set aside; absent where it does not matter. */
  readonly busyFrom?: number | undefined;
}

export type BlockJudgement = { readonly state: Look['state']; readonly comparison: Comparison };

/** Time for which a quota stopped threads is in wall times in full; other work is in their way only now and then. */
const throttledWeight = 5;

/**
 * Whether a block is set aside, by {@link BlockEvidence.busyFrom}: other work kept as many processors busy, or a CPU quota kept back a fifth of that. Never
 * where the system does not tell.
 */
export function isBusy(
  { othersCores = 0, throttledCores = 0 }: Pick<Block, 'othersCores' | 'throttledCores'>,
  busyFrom = Infinity,
): boolean {
  return busyFrom > 0 && Math.max(othersCores, throttledWeight * throttledCores) >= busyFrom;
}

/** By how many the blocks set aside may outnumber the others, less one: a job of a few seconds is sat out, a busy host is told. */
const patience = 5;

/** Whether blocks on a busy host are the rule: then no other is measured. */
export function staysBusy(setAside: number, counted: number): boolean {
  return setAside >= counted + patience;
}

/** `other work kept 1.5 processors busy in 5 of 8 blocks`, of those blocks; or what a CPU quota kept back in them, or both. */
export function otherWork(beside: readonly Block[], all: number): string {
  const cores = median(beside.map(({ othersCores = 0 }) => othersCores)).toFixed(1);
  const throttled = median(beside.map(({ throttledCores = 0 }) => throttledCores)).toFixed(2);
  const work = `other work kept ${cores} processors busy`;
  const quota = `the CPU quota kept back ${throttled} processors’ worth of time`;
  const found = !isThrottled(beside) ? work : cores === '0.0' ? quota : `${work} and ${quota}`;
  return `${found} in ${beside.length} of ${all} blocks`;
}

/** Whether a CPU quota is part of what disturbed blocks. */
function isThrottled(blocks: readonly Block[]): boolean {
  return median(blocks.map(({ throttledCores = 0 }) => throttledCores)) >= 0.005;
}

/**
 * Judges paired blocks by a rule. Blocks on a busy host are set aside, as arms of different parallelism suffer differently there; once they are the
 * rule, the comparison ends inconclusive, without figures. Pure: the same blocks give the same comparison, to the byte.
 */
export function judgeBlocks(subject: ComparisonSubject, rule: Rule, evidence: BlockEvidence): BlockJudgement {
  const { blocks, busyFrom, warnings = [] } = evidence;
  const setAside = blocks.filter((block) => isBusy(block, busyFrom));
  if (setAside.length === 0) return judgeCounted(subject, rule, evidence);
  const counted = blocks.filter((block) => !setAside.includes(block));
  const found = otherWork(setAside, blocks.length);
  if (counted.length > 0) {
    const marked = { ...evidence, blocks: counted, warnings: [...warnings, `${found}, which do not count`] };
    const { state, comparison } = judgeCounted(subject, rule, marked);
    if (state !== 'more') return { state, comparison: { ...comparison, setAside } };
  }
  // There is no CPU time of a ratio.
  const instead = rule.metric === 'latency' ? ', or compare cpu-time' : '';
  const better = isThrottled(setAside) ? 'fewer threads, a larger quota or whole processors' : 'a quieter host';
  const reason = `busy: ${found}, too many for a verdict on wall time: use ${better}${instead}`;
  const given = { ...stub(subject, rule), floor: evidence.floor, blocks: counted, setAside, warnings };
  return {
    state: staysBusy(setAside.length, counted.length) ? 'inconclusive' : 'more',
    comparison: { ...given, outcome: 'inconclusive', reason, busy: true },
  };
}

function judgeCounted(subject: ComparisonSubject, rule: Rule, evidence: BlockEvidence): BlockJudgement {
  const { blocks, plan = defaultLooks } = evidence;
  // Where higher is better, a fall is what must not happen.
  const sign = rule.direction === 'lower' ? 1 : -1;
  const logRatios = blocks.map(({ logRatio }) => sign * logRatio);
  const bounds = { margin: Math.log1p(rule.margin), floor: Math.log1p(evidence.floor ?? 0), family: evidence.family };
  const seen = look(logRatios, bounds, plan);
  const used = blocks.slice(0, seen.count);
  const base = median(used.map((block) => block.base));
  const fresh = median(used.map((block) => block.new));
  const busy = busyBlocks(used);
  const small = Math.abs(fresh - base) < rule.absoluteFloor;
  const settled = seen.state !== 'more' || (plan.looks.includes(blocks.length) && areNear(used, rule));
  const state = small && settled ? 'pass' : seen.state;
  const comparison: Comparison = {
    ...stub(subject, rule),
    base,
    new: fresh,
    effect: effectOf(seen, sign, plan.tail),
    floor: evidence.floor,
    outcome: state === 'more' ? 'inconclusive' : state,
    reason: small ? `the change is below the absolute floor of ${rule.absoluteFloor}` : reasonOf(seen, rule, busy !== undefined),
    minimumDetectableEffect: detectable(seen, plan),
    blocks: used,
    warnings: [...(evidence.warnings ?? []), ...(busy ?? [])],
  };
  return { state, comparison };
}

/** Whether peaks lie so near one another in every block that more blocks would not bring their medians beyond the floor. */
function areNear(blocks: readonly Block[], { metric, absoluteFloor }: Rule): boolean {
  return metric === 'peak-memory' && blocks.every((block) => Math.abs(block.new - block.base) < absoluteFloor / 2);
}

/** Where others kept this much of a processor busy, the arms wait for them: a comparison warns of it. */
export const busyCores = 0.2;

/** In how many blocks others were at work, and how much; undefined where they were not. */
function busyBlocks(blocks: readonly Block[]): [string] | undefined {
  const beside = blocks.filter((block) => isBusy(block, busyCores));
  return beside.length === 0 ? undefined : [otherWork(beside, blocks.length)];
}

function effectOf({ mean, low, high }: Look, sign: number, tail: number): Effect | null {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return null;
  const change = (logRatio: number) => Math.expm1(sign * logRatio);
  const [lower, upper] = sign > 0 ? [low, high] : [high, low];
  return { estimate: change(mean), low: change(lower), high: change(upper), confidence: 1 - 2 * tail };
}

function detectable({ standardDeviation, count }: Look, { tail }: LookPlan): number | null {
  if (count < 2) return null;
  return Math.expm1(minimumDetectableEffect({ standardDeviation, blocks: count, tail, power: statedPower }));
}

function reasonOf({ state, low, high, count }: Look, { margin, metric }: Rule, busy: boolean): string {
  const change = (logRatio: number) => `${fixed(100 * Math.expm1(logRatio), 1)} %`;
  const interval = `${change(low)} to ${change(high)} over ${count} blocks`;
  const limit = `${Number((100 * margin).toPrecision(3))} %`;
  if (state === 'regression') return `worse by ${interval}: more than half the margin of ${limit} and more than this host's noise floor`;
  if (state === 'improvement') return `better by a change of ${interval}`;
  if (state === 'pass') return `${low > 0 ? 'worse, within the margin' : 'no change beyond the margin'}: ${interval}, below ${limit}`;
  const other = busy && metric === 'latency' ? 'a quieter host, or compare cpu-time' : 'a quieter host';
  return `the interval of ${interval} neither stays below ${limit} nor shows a regression: use more blocks or ${other}`;
}
