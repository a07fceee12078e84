import type { Block, Comparison } from '../contract/verdict.ts';
import { judgeBlocks } from '../decide/judge-blocks.ts';
import { judgeMissing } from '../decide/judge-figures.ts';
import type { Rule, Subject } from '../decide/rule.ts';
import type { LookPlan } from '../decide/sequential.ts';
import type { CellArm } from '../measure/arm.ts';
import { launchStage } from '../measure/launch.ts';
import type { LaunchOutcome } from '../measure/launch.ts';
import type { StageRequest } from '../measure/messages.ts';

/** A peak hardly varies from launch to launch: few pairs tell. */
export const memoryLooks: LookPlan = { looks: [3, 6], tail: 0.0175 };

export interface StageOptions {
  readonly timeoutSeconds: number;
  readonly wasteRows: number;
  readonly signal?: AbortSignal;
}

/** Runs one stage of an arm, with the arm's attnswap, in its folder. */
export function launchArm(arm: CellArm, stage: StageRequest['stage'], options: StageOptions): Promise<LaunchOutcome> {
  const { request: cellRequest, stageWorker, cwd, plan } = arm;
  const { cell } = cellRequest;
  const kernelScoredPairs = plan.kernel.scoredPairs(cell.variant.params, cell.shape);
  const limits = { sampleSeconds: 0.01, wasteRows: options.wasteRows, kernelScoredPairs };
  const request = { ...cellRequest, stage, ...limits };
  const { timeoutSeconds, signal } = options;
  return launchStage(request, { timeoutSeconds, worker: stageWorker, cwd, ...(signal !== undefined && { signal }) });
}

/** Peak memory of two arms, in pairs of launches of their own. */
export async function compareMemory(
  arms: { base: CellArm; new: CellArm },
  subject: Subject,
  rule: Rule,
  options: StageOptions & { family: number },
): Promise<Comparison> {
  const blocks: Block[] = [];
  for (const looked of memoryLooks.looks) {
    while (blocks.length < looked) {
      const start = process.hrtime.bigint();
      const base = await peak(arms.base, options);
      const fresh = await peak(arms.new, options);
      if ('outcome' in base) return missing(subject, rule, 'base', base);
      if ('outcome' in fresh) return missing(subject, rule, 'new', fresh);
      const logRatio = Math.log(fresh.bytes / base.bytes);
      blocks.push({
        logRatio,
        roundLogRatios: [logRatio],
        base: base.bytes,
        new: fresh.bytes,
        elapsedNs: Number(process.hrtime.bigint() - start),
      });
    }
    const { state, comparison } = judgeBlocks(subject, rule, { blocks, floor: null, family: options.family, plan: memoryLooks });
    if (state !== 'more') return comparison;
  }
  throw new RangeError('a plan needs at least one look');
}

/** Peak bytes of one launch: the device's where it has memory of its own, else the host's, one page at least. */
export async function peak(
  arm: CellArm,
  options: StageOptions,
): Promise<{ bytes: number } | Exclude<LaunchOutcome, { outcome: 'memory' }>> {
  const outcome = await launchArm(arm, 'memory', options);
  if (outcome.outcome !== 'memory') return outcome;
  const { peakDeviceBytes, peakHostBytes } = outcome.memory;
  return { bytes: Math.max(4096, peakDeviceBytes ?? peakHostBytes) };
}

/** A comparison whose arm gave no figure. */
export function missing(subject: Subject, rule: Rule, arm: 'base' | 'new', outcome: LaunchOutcome): Comparison {
  const reason = `${arm}: ${outcome.outcome}: ${'reason' in outcome ? outcome.reason : 'no figure'}`;
  return judgeMissing(subject, rule, outcome.outcome === 'unsupported' ? 'incomplete' : 'error', reason);
}
