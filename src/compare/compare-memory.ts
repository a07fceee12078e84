import type { CellRecord } from '../contract/cell.ts';
import type { Comparison } from '../contract/verdict.ts';
import { heldToLimit } from '../decide/judge-figures.ts';
import type { Rule, ComparisonSubject } from '../decide/rule.ts';
import type { LookPlan } from '../decide/sequential.ts';
import { areApart } from '../measure/arm.ts';
import type { Arm, CellArm, ModelArm } from '../measure/arm.ts';
import { launchStage } from '../measure/launch.ts';
import { fitTwice } from '../measure/side-by-side.ts';
import type { LaunchOptions, LaunchOutcome } from '../measure/launch.ts';
import type { CellStageRequest, StageRequest } from '../measure/messages.ts';
import { theilSen } from '../statistics/theil-sen.ts';
import { noBlock, untilDecided } from './until-decided.ts';
import type { Looking, NoBlock } from './until-decided.ts';

/** A peak hardly varies from launch to launch: few pairs tell. */
const memoryLooks: LookPlan = { looks: [3, 6], tail: 0.0175 };

/** The device's peak where it has memory of its own, else the host's; one page at least, as a ratio needs more than nothing. */
export function peakBytes({ peakDeviceBytes, peakHostBytes }: NonNullable<CellRecord['memory']>): number {
  return Math.max(4096, peakDeviceBytes ?? peakHostBytes);
}

export interface StageOptions extends Pick<LaunchOptions, 'withoutForks'> {
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** Runs one stage of a cell's arm, with the arm's attnswap, in its folder. */
export function launchArm(
  arm: CellArm,
  stage: CellStageRequest['stage'],
  options: StageOptions & { readonly wasteRows: number },
): Promise<LaunchOutcome> {
  const { request, plan } = arm;
  const { cell } = request;
  const kernelScoredPairs = plan.kernel.scoredPairs(cell.variant.params, cell.shape, cell.backend);
  return launch(arm, { ...request, stage, sampleSeconds: 0.01, wasteRows: options.wasteRows, kernelScoredPairs }, options);
}

function launch(arm: Arm, request: StageRequest, { timeoutSeconds, withoutForks, signal }: StageOptions): Promise<LaunchOutcome> {
  const { stageWorker: worker, cwd } = arm;
  return launchStage(request, { timeoutSeconds, worker, cwd, withoutForks, signal });
}

export type PairedLaunches = StageOptions & Pick<Looking, 'family' | 'progress'> & { readonly plan?: LookPlan | undefined };

/**
 * Peak memory of two arms, in pairs of launches of their own, one after the other: two may not fit at once. Of whole models, which take long to open, what the
 * first pair took shows whether later ones do. Peaks do not drift: `basePeaks` keeps the base's for the next comparison with it.
 */
export function compareMemory(
  arms: { base: CellArm | ModelArm; new: CellArm | ModelArm },
  subject: ComparisonSubject,
  rule: Rule,
  options: PairedLaunches & { readonly basePeaks?: Map<number, LaunchedPeak> },
): Promise<Comparison> {
  // Of one launch of the first pair, at most; of a device that is not known.
  let most: number | undefined;
  const together = (block: number) => block > 0 && most !== undefined && fitTwice(most);
  return comparePeaks(subject, rule, { ...options, together }, async (side, block) => {
    const kept = side === 'base' ? options.basePeaks?.get(block) : undefined;
    const found: LaunchedPeak | LaunchOutcome = kept ?? (await peak(arms[side], { ...options, withoutForks: areApart(arms) }));
    if ('outcome' in found) return found;
    if (side === 'base') options.basePeaks?.set(block, found);
    const isModel = 'model' in arms[side].request;
    if (block === 0 && isModel && found.residentBytes !== undefined) most = Math.max(most ?? 0, found.residentBytes);
    return found.bytes;
  });
}

/**
 * How peak memory grows with the length: the factor by which it rises where the length doubles, 2 for n and 4 for n², from Theil and
 * Sen's slope of ln(peak) over ln(length). A block launches every length once on each side.
 * @param lengths of the arms, in their order; two different ones at least
 */
export function compareGrowth(
  arms: { base: readonly CellArm[]; new: readonly CellArm[] },
  lengths: readonly number[],
  subject: ComparisonSubject,
  rule: Rule,
  options: PairedLaunches,
): Promise<Comparison> {
  const withoutForks = areApart({ base: arms.base[0]!, new: arms.new[0]! });
  return comparePeaks(subject, rule, options, async (side) => {
    const peaks: number[] = [];
    for (const arm of arms[side]) {
      const found = await peak(arm, { ...options, withoutForks });
      if ('outcome' in found) return found;
      peaks.push(found.bytes);
    }
    return growthPerDoubling(lengths, peaks);
  });
}

/** The factor by which memory rises where the length doubles: 2 to the power of the log-log slope. */
export function growthPerDoubling(lengths: readonly number[], peaks: readonly number[]): number {
  return 2 ** theilSen(lengths.map(Math.log), peaks.map(Math.log)).slope;
}

/** Judges a positive figure of launches, pair by pair. */
async function comparePeaks(
  subject: ComparisonSubject,
  rule: Rule,
  { family, plan = memoryLooks, progress, together = () => false }: PairedLaunches & { readonly together?: (block: number) => boolean },
  figure: (side: 'base' | 'new', block: number) => Promise<Peak>,
): Promise<Comparison> {
  const looking = { family, plan, progress, floor: null };
  const comparison = await untilDecided(subject, rule, looking, async (index) => {
    const start = process.hrtime.bigint();
    const [base, fresh] = await bothOf(figure, index, together(index));
    if (typeof base !== 'number') return withoutFigure('base', base);
    if (typeof fresh !== 'number') return withoutFigure('new', fresh);
    const logRatio = Math.log(fresh / base);
    return { logRatio, roundLogRatios: [logRatio], base, new: fresh, elapsedNs: Number(process.hrtime.bigint() - start) };
  });
  return heldToLimit(comparison, rule);
}

type Peak = number | LaunchOutcome;

/** Both sides of a block; of a base without a figure, that alone decides. */
async function bothOf(
  figure: (side: 'base' | 'new', block: number) => Promise<Peak>,
  block: number,
  together: boolean,
): Promise<[Peak, Peak]> {
  if (together) return Promise.all([figure('base', block), figure('new', block)]);
  const base = await figure('base', block);
  return [base, typeof base === 'number' ? await figure('new', block) : base];
}

/** A peak, and what the process took in all; absent of a device, whose memory is not known. */
export interface LaunchedPeak {
  readonly bytes: number;
  readonly residentBytes?: number;
}

/** Peak bytes of one launch. */
export async function peak(
  arm: CellArm | ModelArm,
  options: StageOptions,
): Promise<LaunchedPeak | Exclude<LaunchOutcome, { outcome: 'memory' }>> {
  const outcome = await ('model' in arm.request
    ? launch(arm, { ...arm.request, stage: 'memory', sampleSeconds: 0.01 }, options)
    : launchArm(arm as CellArm, 'memory', { ...options, wasteRows: 1 }));
  if (outcome.outcome !== 'memory') return outcome;
  const { memory, residentBytes } = outcome;
  const bytes = peakBytes(memory);
  return memory.peakDeviceBytes === null && residentBytes !== undefined ? { bytes, residentBytes } : { bytes };
}

/** Of a launch that gave no figure. */
export function withoutFigure(arm: 'base' | 'new', outcome: LaunchOutcome): NoBlock {
  return noBlock(arm, outcome.outcome, 'reason' in outcome ? outcome.reason : undefined);
}
