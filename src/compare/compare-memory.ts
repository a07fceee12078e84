import type { Block, Comparison } from '../contract/verdict.ts';
import { judgeBlocks } from '../decide/judge-blocks.ts';
import { judgeMissing } from '../decide/judge-figures.ts';
import type { Rule, Subject } from '../decide/rule.ts';
import type { LookPlan } from '../decide/sequential.ts';
import type { Arm, CellArm, ModelArm } from '../measure/arm.ts';
import { launchStage } from '../measure/launch.ts';
import type { LaunchOutcome } from '../measure/launch.ts';
import type { CellStageRequest, StageRequest } from '../measure/messages.ts';

/** A peak hardly varies from launch to launch: few pairs tell. */
export const memoryLooks: LookPlan = { looks: [3, 6], tail: 0.0175 };

export interface StageOptions {
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal;
}

/** Runs one stage of a cell's arm, with the arm's attnswap, in its folder. */
export function launchArm(
  arm: CellArm,
  stage: CellStageRequest['stage'],
  options: StageOptions & { readonly wasteRows: number },
): Promise<LaunchOutcome> {
  const { request, plan } = arm;
  const { cell } = request;
  const kernelScoredPairs = plan.kernel.scoredPairs(cell.variant.params, cell.shape);
  return launch(arm, { ...request, stage, sampleSeconds: 0.01, wasteRows: options.wasteRows, kernelScoredPairs }, options);
}

function launch(arm: Arm, request: StageRequest, { timeoutSeconds, signal }: StageOptions): Promise<LaunchOutcome> {
  const { stageWorker: worker, cwd } = arm;
  return launchStage(request, { timeoutSeconds, worker, cwd, ...(signal !== undefined && { signal }) });
}

/** Peak memory of two arms, in pairs of launches of their own. Peaks do not drift: `basePeaks` keeps the base's for the next comparison with it. */
export async function compareMemory(
  arms: { base: CellArm | ModelArm; new: CellArm | ModelArm },
  subject: Subject,
  rule: Rule,
  options: StageOptions & { readonly family: number; readonly plan?: LookPlan; readonly basePeaks?: Map<number, { bytes: number }> },
): Promise<Comparison> {
  const blocks: Block[] = [];
  const { plan = memoryLooks } = options;
  for (const looked of plan.looks) {
    while (blocks.length < looked) {
      const start = process.hrtime.bigint();
      const base = options.basePeaks?.get(blocks.length) ?? (await peak(arms.base, options));
      const fresh = await peak(arms.new, options);
      if ('outcome' in base) return missing(subject, rule, 'base', base);
      if ('outcome' in fresh) return missing(subject, rule, 'new', fresh);
      options.basePeaks?.set(blocks.length, base);
      const logRatio = Math.log(fresh.bytes / base.bytes);
      blocks.push({
        logRatio,
        roundLogRatios: [logRatio],
        base: base.bytes,
        new: fresh.bytes,
        elapsedNs: Number(process.hrtime.bigint() - start),
      });
    }
    const { state, comparison } = judgeBlocks(subject, rule, { blocks, floor: null, family: options.family, plan });
    if (state !== 'more') return comparison;
  }
  throw new RangeError('a plan needs at least one look');
}

/** Peak bytes of one launch: the device's where it has memory of its own, else the host's, one page at least. */
export async function peak(
  arm: CellArm | ModelArm,
  options: StageOptions,
): Promise<{ bytes: number } | Exclude<LaunchOutcome, { outcome: 'memory' }>> {
  const outcome = await ('model' in arm.request
    ? launch(arm, { ...arm.request, stage: 'memory', sampleSeconds: 0.01 }, options)
    : launchArm(arm as CellArm, 'memory', { ...options, wasteRows: 1 }));
  if (outcome.outcome !== 'memory') return outcome;
  const { peakDeviceBytes, peakHostBytes } = outcome.memory;
  return { bytes: Math.max(4096, peakDeviceBytes ?? peakHostBytes) };
}

/** A comparison whose arm gave no figure. */
export function missing(subject: Subject, rule: Rule, arm: 'base' | 'new', outcome: LaunchOutcome): Comparison {
  const reason = `${arm}: ${outcome.outcome}: ${'reason' in outcome ? outcome.reason : 'no figure'}`;
  return judgeMissing(subject, rule, outcome.outcome === 'unsupported' ? 'incomplete' : 'error', reason);
}
