import type { Block, Comparison } from '../contract/verdict.ts';
import { judgeBlocks } from '../decide/judge-blocks.ts';
import { judgeMissing } from '../decide/judge-figures.ts';
import type { Rule, Subject } from '../decide/rule.ts';
import { defaultLooks } from '../decide/sequential.ts';
import type { LookPlan } from '../decide/sequential.ts';
import type { Arm } from '../measure/arm.ts';
import { defaultBlockSeconds, measureBlock } from '../measure/pair-block.ts';
import type { ArmFacts, BlockOutcome } from '../measure/pair-block.ts';
import { notCalibrated } from './calibration.ts';

/** Rows of each output that are judged: all that a check needs in the first block, a reminder in the others. */
const firstRows = 256;
const laterRows = 16;

export interface PairOptions {
  readonly seed: number;
  /** Relative change below which differences were seen between equal arms; null where the host was not calibrated. */
  readonly floor: number | null;
  /** Comparisons judged together. */
  readonly family: number;
  readonly plan?: LookPlan;
  /** What the rounds of one block should take, seconds. */
  readonly blockSeconds?: number;
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal;
  progress?(block: number): void;
}

export interface PairResult {
  readonly comparison: Comparison;
  /** What both arms said of themselves; absent where one could not be measured. */
  readonly facts?: { readonly base: ArmFacts; readonly new: ArmFacts };
}

/**
 * Compares two arms block by block until a look decides. A fault of either arm ends the comparison, as a figure from some blocks
 * of an arm that then failed is none.
 * @throws the signal's reason once it is aborted
 */
export async function compareLatency(
  arms: { base: Arm; new: Arm },
  subject: Subject,
  rule: Rule,
  options: PairOptions,
): Promise<PairResult> {
  const { plan = defaultLooks } = options;
  const blocks: Block[] = [];
  let last: Extract<BlockOutcome, { state: 'measured' }> | undefined;
  for (const looked of plan.looks) {
    while (blocks.length < looked) {
      options.progress?.(blocks.length);
      const outcome = await measureBlock(arms, {
        seed: options.seed,
        index: blocks.length,
        judgedRows: blocks.length === 0 ? firstRows : laterRows,
        samplingNs: (options.blockSeconds ?? defaultBlockSeconds) * 1e9,
        timeoutSeconds: options.timeoutSeconds,
        ...(last !== undefined && { callsPerSample: last.callsPerSample }),
        ...(options.signal !== undefined && { signal: options.signal }),
      });
      if (outcome.state === 'fault') return { comparison: faulty(subject, rule, outcome) };
      last ??= outcome;
      blocks.push(outcome.block);
    }
    const warnings = options.floor === null ? [notCalibrated(subject.cell)] : [];
    const { state, comparison } = judgeBlocks(subject, rule, { blocks, floor: options.floor, family: options.family, plan, warnings });
    if (state !== 'more' && last !== undefined) return { comparison, facts: last.facts };
  }
  throw new RangeError('a plan needs at least one look');
}

function faulty(subject: Subject, rule: Rule, { arm, fault }: Extract<BlockOutcome, { state: 'fault' }>): Comparison {
  return judgeMissing(subject, rule, fault.status === 'unsupported' ? 'incomplete' : 'error', `${arm}: ${fault.status}: ${fault.reason}`);
}
