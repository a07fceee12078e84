import type { Comparison } from '../contract/verdict.ts';
import { meanInterval, studentCdf } from '../statistics/student.ts';
import type { MeanEstimate } from '../statistics/student.ts';
import { decideMigration } from '../migration/decide.ts';
import type { MigrationDecision } from '../migration/decide.ts';
import { estimatePaired, judgePaired } from '../quality/paired.ts';
import type { QualityJudgement } from '../quality/judgement.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { compareExported, exportedModel } from './exported.ts';
import { finishTrial, referenceOf } from './finish-trial.ts';
import type { FinishedTrial } from './finish-trial.ts';
import { swappedScores } from './swapped.ts';
import { searchCandidate } from './search.ts';
import type { SearchResult } from './search.ts';
import { readTestbed } from '../training/testbed.ts';
import { testbedOf } from './trial.ts';
import type { Trial } from './trial.ts';
import type { TuningWork } from './work.ts';

/** One attention after tuning, beside the baseline. */
export interface TunedCandidate {
  readonly candidate: string;
  /** Mean test score under the baseline's weights, without training, a seed each. */
  readonly swapped: readonly number[];
  readonly search: SearchResult;
  /** The search's best choices, trained from every seed. */
  readonly finalists: readonly FinishedTrial[];
  /** The same with shuffled selection, one seed; null where the variant selects nothing by score. */
  readonly control: FinishedTrial | null;
  /** Mean test score, tuned minus baseline, over seeds; Student's 95 % interval, and the p of no difference (two-sided). */
  readonly difference: MeanEstimate & { readonly p: number };
  /** Pairs that enter a softmax, as a share of dense attention's. */
  readonly weightedShare: number;
  readonly latency: Comparison;
  readonly memory: Comparison;
  /** Paired over test items, first seed. */
  readonly quality: QualityJudgement;
  readonly decision: MigrationDecision;
  /** The exported model of the first seed. */
  readonly model: string;
}

export interface TuningReport {
  readonly baseline: readonly FinishedTrial[];
  readonly candidates: readonly TunedCandidate[];
}

/** Baseline, plain swap, search, and the last comparison of every candidate with the baseline. */
export async function tuneTestbed(work: TuningWork): Promise<TuningReport> {
  const { tuning, seed } = work;
  for (const attention of [tuning.baseline, ...tuning.candidates])
    readTestbed(testbedOf({ ...baselineTrial(work, seed), attention }, tuning, work.task), tuning.name);
  const seeds = Array.from({ length: tuning.search.seeds }, (_, index) => seed + index);
  const baseline: FinishedTrial[] = [];
  for (const each of seeds) baseline.push(await finishTrial(work, baselineTrial(work, each)));
  const candidates: TunedCandidate[] = [];
  for (const candidate of tuning.candidates) candidates.push(await tuneCandidate(work, candidate, baseline));
  return { baseline, candidates };
}

/** The first choice of everything; techniques need something to learn from. */
function baselineTrial({ tuning: { baseline, space } }: TuningWork, seed: number): Trial {
  const { position, norm, normPlacement, learningRate } = space;
  return {
    attention: baseline,
    position: position[0]!,
    norm: norm[0]!,
    normPlacement: normPlacement[0]!,
    learningRate: learningRate[0]!,
    techniques: [],
    start: 'drawn',
    seed,
  };
}

async function tuneCandidate(work: TuningWork, candidate: string, baseline: readonly FinishedTrial[]): Promise<TunedCandidate> {
  const references = [];
  for (const each of baseline) references.push(await referenceOf(work, each));
  const swapped: number[] = [];
  for (const reference of references) swapped.push((await swappedScores(work, candidate, reference)).mean);
  const search = await searchCandidate(work, candidate, references[0]!);
  const finalists: FinishedTrial[] = [];
  for (const reference of references) finalists.push(await finishTrial(work, { ...search.winner, seed: reference.trial.seed }, reference));
  const control = selects(candidate) ? await finishTrial(work, { ...search.winner, shuffled: true }, references[0]) : null;
  const { latency, memory } = await compareExported(work, baseline[0]!.trial, finalists[0]!.trial);
  const quality = judgeQuality(work, baseline[0]!, finalists[0]!);
  const at = (comparison: Comparison) => [{ length: work.task.length, comparison }];
  return {
    candidate,
    swapped,
    search,
    finalists,
    control,
    difference: differenceOf(baseline, finalists),
    weightedShare: weightedShare(work, candidate),
    latency,
    memory,
    quality,
    decision: decideMigration({ candidate, latency: at(latency), memory: at(memory), wantedLengths: [], quality }),
    model: await exportedModel(work, finalists[0]!.trial),
  };
}

/** Whether a variant chooses keys by their scores, so that choosing at random is another thing. */
function selects(candidate: string): boolean {
  const { variant, parameters } = parseVariant(candidate);
  return variant === 'topk' || variant === 'block-topk' || (variant === 'gated' && (parameters['sparsity'] !== 0 || 'tau' in parameters));
}

function differenceOf(baseline: readonly FinishedTrial[], finalists: readonly FinishedTrial[]): TunedCandidate['difference'] {
  const differences = finalists.map(({ test }, index) => test.mean - baseline[index]!.test.mean);
  const estimate = meanInterval(differences, 0.025);
  const error = estimate.standardDeviation / Math.sqrt(estimate.count);
  const t = error === 0 ? (estimate.mean === 0 ? 0 : Infinity) : Math.abs(estimate.mean) / error;
  const p = estimate.count < 2 ? 1 : t === Infinity ? 0 : 2 * (1 - studentCdf(t, estimate.count - 1));
  return { ...estimate, p };
}

function judgeQuality({ tuning, seed }: TuningWork, base: FinishedTrial, fresh: FinishedTrial): QualityJudgement {
  const estimate = estimatePaired({ base: base.test.items, new: fresh.test.items }, { seed });
  return judgePaired(estimate, tuning.qualityMargin * Math.max(Math.abs(base.test.mean), 1e-6));
}

function weightedShare({ task, tuning }: TuningWork, candidate: string): number {
  const { heads, width } = tuning.model;
  const { variant, parameters } = parseVariant(candidate);
  const shape = {
    batch: 1,
    heads,
    kvHeads: heads,
    queries: task.length,
    keys: task.length,
    headDim: width / heads,
    causal: task.causal,
    dtype: 'f32',
  } as const;
  const { weightedPairs, densePairs } = findVariant(variant).cost(parameters, shape);
  return weightedPairs / densePairs;
}
