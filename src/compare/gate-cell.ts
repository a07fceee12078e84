import type { Block, Comparison } from '../contract/verdict.ts';
import { heldToLimit, judgeFigures, judgeMissing } from '../decide/judge-figures.ts';
import type { Rule, ComparisonSubject } from '../decide/rule.ts';
import type { CellArm } from '../measure/arm.ts';
import { factsOf } from '../measure/facts.ts';
import type { ArmFacts, BlockOutcome } from '../measure/pair-block.ts';
import type { PairFault } from '../measure/pair-messages.ts';
import { compareLatency, lookingAt } from './compare-latency.ts';
import type { PairOptions } from './compare-latency.ts';
import { compareMemory, launchArm, withoutFigure } from './compare-memory.ts';
import type { StageOptions } from './compare-memory.ts';
import { wastedShare } from './figures-of.ts';
import { pairedBlocks } from './paired-blocks.ts';
import { noBlock, untilDecided } from './until-decided.ts';
import type { NoBlock } from './until-decided.ts';

/** One cell of both sides, and the cell that its ratio is taken to. */
export interface CellArms {
  readonly base: CellArm;
  readonly new: CellArm;
  /** Absent where the suite has no reference cell of this shape. */
  readonly reference?: { readonly base: CellArm; readonly new: CellArm };
}

export type GateCellOptions = PairOptions & StageOptions & { readonly wasteRows: number; readonly facts?: KnownFacts | undefined };

/** What arms stated so far, by side and cell: several metrics ask the same. Of faults, those that would come again. */
export type KnownFacts = Map<string, ArmFacts | PairFault>;

const sides = ['base', 'new'] as const;

/** Judges one cell by one rule: measures whatever the rule's metric needs. */
export function gateCell(arms: CellArms, subject: ComparisonSubject, rule: Rule, options: GateCellOptions): Promise<Comparison> {
  switch (rule.metric) {
    case 'latency':
    case 'cpu-time':
      return latency(arms, subject, rule, options);
    case 'peak-memory':
      return compareMemory(arms, subject, rule, options);
    case 'waste':
      return wasted(arms, subject, rule, options);
    case 'error':
    case 'scored-pairs':
      return stated(arms, subject, rule, options);
    case 'ratio-to-reference':
      return ratio(arms, subject, rule, options);
    default:
      return Promise.resolve(judgeMissing(subject, rule, 'incomplete', `${rule.metric}: not measured by a suite of single cells`));
  }
}

async function latency(arms: CellArms, subject: ComparisonSubject, rule: Rule, options: GateCellOptions): Promise<Comparison> {
  const { comparison, facts } = await compareLatency(arms, subject, rule, options);
  if (facts !== undefined) for (const side of sides) options.facts?.set(factsKey(side, arms), facts[side]);
  return heldToLimit(comparison, rule);
}

async function wasted(arms: CellArms, subject: ComparisonSubject, rule: Rule, options: GateCellOptions): Promise<Comparison> {
  const outcomes = await Promise.all(sides.map((side) => launchArm(arms[side], 'waste', options)));
  const shares: number[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    const share = outcome.outcome === 'waste' ? wastedShare(outcome.waste) : undefined;
    if (share === undefined) return without(subject, rule, withoutFigure(sides[index]!, outcome));
    shares.push(share);
  }
  return judgeFigures(subject, rule, { base: shares[0]!, new: shares[1]! });
}

/** What each arm states before it is timed: its error, and the products that it computes. */
async function stated(arms: CellArms, subject: ComparisonSubject, rule: Rule, options: GateCellOptions): Promise<Comparison> {
  const found = await Promise.all(sides.map((side) => factsAt(side, arms, options)));
  const figures: number[] = [];
  for (const [index, facts] of found.entries()) {
    if ('reason' in facts) return without(subject, rule, noBlock(sides[index]!, facts.status, facts.reason));
    figures.push(rule.metric === 'error' ? facts.error!.relative : facts.scoredPairs!);
  }
  return judgeFigures(subject, rule, { base: figures[0]!, new: figures[1]! });
}

async function factsAt(side: 'base' | 'new', arms: CellArms, options: GateCellOptions) {
  const key = factsKey(side, arms);
  const facts = options.facts?.get(key) ?? (await factsOf(arms[side], options));
  if (!('reason' in facts) || facts.status === 'unsupported' || facts.status === 'mismatch') options.facts?.set(key, facts);
  return facts;
}

function factsKey(side: 'base' | 'new', arms: CellArms): string {
  return `${side} ${arms[side].request.cell.id}`;
}

function without(subject: ComparisonSubject, rule: Rule, { outcome, reason }: NoBlock): Comparison {
  return judgeMissing(subject, rule, outcome, reason);
}

/**
 * The cell's latency over the reference cell's, in pairs of one version. With a limit the new ratio is held against it alone (pass
 * where its interval stays below); without one, block by block against the base's ratio.
 */
async function ratio(arms: CellArms, subject: ComparisonSubject, rule: Rule, options: GateCellOptions): Promise<Comparison> {
  const { reference } = arms;
  if (reference === undefined)
    return judgeMissing(subject, rule, 'incomplete', 'the suite has no reference cell with this shape and backend');
  const { limit } = rule;
  const measure = {
    new: pairedBlocks({ base: reference.new, new: arms.new }, options),
    base: pairedBlocks({ base: reference.base, new: arms.base }, options),
  };
  const judged = limit === null ? rule : { ...rule, margin: 0 };
  const comparison = await untilDecided(subject, judged, lookingAt(subject, rule, options), async (index) => {
    const fresh = await measure.new(index);
    if (fresh.state === 'fault') return withoutRatio('new', fresh);
    const base = limit === null ? await measure.base(index) : undefined;
    if (base?.state === 'fault') return withoutRatio('base', base);
    const from = base === undefined ? Math.log(limit!) : base.block.logRatio;
    const { logRatio } = fresh.block;
    const busiest = base === undefined ? {} : busiestOf([fresh.block, base.block]);
    return { ...fresh.block, ...busiest, logRatio: logRatio - from, base: Math.exp(from), new: Math.exp(logRatio) };
  });
  return limit === null || comparison.busy === true ? comparison : againstLimit(comparison, limit);
}

/** What disturbed two blocks, by the worse of them. */
function busiestOf(blocks: readonly Block[]): Pick<Block, 'othersCores' | 'throttledCores'> {
  const most = (name: 'othersCores' | 'throttledCores') => {
    const known = blocks.flatMap((block) => block[name] ?? []);
    return known.length === 0 ? {} : { [name]: Math.max(...known) };
  };
  return { ...most('othersCores'), ...most('throttledCores') };
}

/** In a pair for a ratio the reference cell is the base. */
function withoutRatio(side: 'base' | 'new', { arm, fault }: Extract<BlockOutcome, { state: 'fault' }>): NoBlock {
  return noBlock(arm === 'base' ? `${side}, reference cell` : side, fault.status, fault.reason);
}

/** Better than a limit is a pass, as there is no base that it improved on; the effect is the change from the limit. */
function againstLimit(comparison: Comparison, limit: number): Comparison {
  const { outcome, reason } = comparison;
  const below = `the ratio stays below the limit of ${limit}`;
  if (outcome === 'improvement' || outcome === 'pass') return { ...comparison, base: null, outcome: 'pass', reason: `${below}: ${reason}` };
  return { ...comparison, base: null, reason: `compared with the limit of ${limit}: ${reason}` };
}
