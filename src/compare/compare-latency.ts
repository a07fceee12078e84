import { AttnswapError } from '../contract/errors.ts';
import type { Comparison } from '../contract/verdict.ts';
import { isCalibrated } from '../decide/rule.ts';
import type { Rule, ComparisonSubject } from '../decide/rule.ts';
import { defaultLooks } from '../decide/sequential.ts';
import type { LookPlan } from '../decide/sequential.ts';
import type { Arm } from '../measure/arm.ts';
import type { ArmFacts } from '../measure/pair-block.ts';
import { processorShare } from '../processes/cpu-quota.ts';
import { notCalibrated } from './calibration.ts';
import { pairedBlocks } from './paired-blocks.ts';
import type { PairedBlocksOptions } from './paired-blocks.ts';
import { noBlock, untilDecided } from './until-decided.ts';
import type { Looking } from './until-decided.ts';

export interface PairOptions extends PairedBlocksOptions, Pick<Looking, 'floor' | 'family' | 'progress'> {
  readonly plan?: LookPlan | undefined;
}

export interface PairResult {
  readonly comparison: Comparison;
  /** What both arms said of themselves; absent where one could not be measured. */
  readonly facts?: { readonly base: ArmFacts; readonly new: ArmFacts };
}

/**
 * Compares two arms, by latency or CPU time as the rule says, block by block until a look decides.
 * @throws the signal's reason once it is aborted
 */
export async function compareLatency(
  arms: { base: Arm; new: Arm },
  subject: ComparisonSubject,
  rule: Rule,
  options: PairOptions,
): Promise<PairResult> {
  const measure = pairedBlocks(arms, { ...options, figure: rule.metric === 'cpu-time' ? 'cpu-time' : 'latency' });
  let facts: PairResult['facts'];
  const comparison = await untilDecided(subject, rule, lookingAt(subject, rule, options), async (index) => {
    const outcome = await measure(index);
    facts = outcome.state === 'fault' ? undefined : (facts ?? outcome.facts);
    return outcome.state === 'fault' ? noBlock(outcome.arm, outcome.fault.status, outcome.fault.reason) : outcome.block;
  });
  return facts === undefined ? { comparison } : { comparison, facts };
}

const shareName = 'ATTNSWAP_BUSY_SHARE';

/**
 * Where other work takes as many processors, a block's wall times say little of the arms: a quarter of what this process can have (of its quota, where
 * there is one), or the share in the environment, above 1 for never.
 * @throws USAGE
 */
export function busyCores(): number {
  const given = process.env[shareName] || '0.25';
  const share = Number(given);
  if (share > 0) return share > 1 ? Infinity : share * processorShare();
  throw new AttnswapError('USAGE', `${shareName}: got ${given}, expected a share above 0, such as 0.25`, {
    hint: 'the share of the processors that other work may keep busy; 2 turns this off',
  });
}

/** How timed blocks are looked at: where the host was not calibrated for what it can be, the comparison says so. */
export function lookingAt(
  { cell }: ComparisonSubject,
  { metric }: Rule,
  { plan = defaultLooks, floor, family, progress }: PairOptions,
): Looking {
  const warnings = floor === null && isCalibrated(metric) ? [notCalibrated(cell)] : [];
  return { plan, floor, family, progress, warnings, busyFrom: metric === 'cpu-time' ? undefined : busyCores() };
}
