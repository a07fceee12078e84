import type { Comparison } from '../contract/verdict.ts';
import { decideMigration } from '../migration/decide.ts';
import type { MigrationDecision } from '../migration/decide.ts';
import { estimatePaired, judgePaired } from '../quality/paired.ts';
import type { QualityJudgement } from '../quality/judgement.ts';
import type { MeanEstimate } from '../statistics/student.ts';
import { findVariant, parseVariant } from '../variants/index.ts';
import { readCandidate } from './candidate.ts';
import { ablate } from './ablate.ts';
import type { Ablation } from './ablate.ts';
import { attentionWaste } from './attention-waste.ts';
import type { AttentionWaste } from './attention-waste.ts';
import { differenceOf } from './difference.ts';
import type { SeedDifference } from './difference.ts';
import { compareExported, exportedModel } from './exported.ts';
import { gradedDepth } from './graded.ts';
import type { Graded } from './graded.ts';
import { finishTrial, referenceOf } from './finish-trial.ts';
import type { FinishedTrial } from './finish-trial.ts';
import { frontOf } from './front.ts';
import { recoveredShare } from './recovered.ts';
import { checkTranslates } from './run-trial.ts';
import { swappedScores } from './swapped.ts';
import { searchCandidate } from './search.ts';
import type { TrialSearch } from './search.ts';
import { longestOf, readTestbed, siteShape, sitesOf } from '../training/testbed.ts';
import { settled, testbedOf } from './trial.ts';
import type { Trial } from './trial.ts';
import type { TuningWork } from './work.ts';

/** One attention after tuning, beside the baseline. */
export interface TunedCandidate {
  readonly candidate: string;
  /** Mean test score under the baseline's weights, without training, a seed each. */
  readonly swapped: readonly number[];
  readonly search: TrialSearch;
  /** The search's best choices, trained from every seed. */
  readonly finalists: readonly FinishedTrial[];
  /** The same with shuffled selection, one seed; null where the variant selects nothing by score. */
  readonly control: FinishedTrial | null;
  /** Mean test score, tuned minus baseline. */
  readonly difference: SeedDifference;
  /** The share of what the plain swap lost that training got back; null where it lost no more than the quality margin. */
  readonly recovered: MeanEstimate | null;
  /** What each of the winner's own choices gained. */
  readonly ablations: readonly Ablation[];
  /** Pairs that enter a softmax, as a share of dense attention's. */
  readonly weightedShare: number;
  readonly latency: Comparison;
  readonly memory: Comparison;
  /** Paired over test items, first seed. */
  readonly quality: QualityJudgement;
  readonly decision: MigrationDecision;
  /** Of the first seed; null where its training diverged. */
  readonly waste: AttentionWaste | null;
  /** How the first seed's depth follows difficulty; null without exits, or where items are not graded. */
  readonly graded: Graded | null;
  /** The exported model of the first seed. */
  readonly model: string;
}

export interface TuningReport {
  readonly baseline: readonly FinishedTrial[];
  /** Of the first seed; null where its training diverged. */
  readonly baselineWaste: AttentionWaste | null;
  /** As each candidate's. */
  readonly baselineGraded: Graded | null;
  readonly candidates: readonly TunedCandidate[];
  /** Of baseline and candidates those that no other one beats in score, latency, memory and pairs, the best score first. */
  readonly front: readonly string[];
}

/** Baseline, plain swap, search, and the last comparison of every candidate with the baseline. @throws the signal's reason once it is aborted */
export async function tuneTestbed(work: TuningWork): Promise<TuningReport> {
  try {
    return await tuneAll(work);
  } catch (error) {
    // Ctrl-C reaches the trainer too, whatever it is asked for: why it went is then no fault.
    work.signal?.throwIfAborted();
    throw error;
  }
}

async function tuneAll(work: TuningWork): Promise<TuningReport> {
  const { tuning, seed } = work;
  const { position: positions, exits: early = [null] } = tuning.space;
  for (const attention of [tuning.baseline, ...tuning.candidates])
    for (const position of positions)
      for (const exits of early)
        readTestbed(testbedOf({ ...baselineTrial(work, seed), attention, position, exits }, tuning, work.task), tuning.name);
  const seeds = Array.from({ length: tuning.search.seeds }, (_, index) => seed + index);
  await checkTranslates(work, baselineTrial(work, seed));
  const baseline: FinishedTrial[] = [];
  for (const each of seeds) baseline.push(await finishTrial(work, baselineTrial(work, each)));
  const baselineWaste = await attentionWaste(work, baseline[0]!);
  const baselineGraded = await gradedDepth(work, baseline[0]!);
  const candidates: TunedCandidate[] = [];
  for (const [index, candidate] of tuning.candidates.entries()) {
    work.timeLeft.begin(index);
    candidates.push(await tuneCandidate(work, candidate, baseline));
  }
  return {
    baseline,
    baselineWaste,
    baselineGraded,
    candidates,
    front: frontOf({ candidate: tuning.baseline, finalists: baseline }, candidates),
  };
}

/** The first choice of everything; techniques need something to learn from. */
function baselineTrial({ tuning: { baseline, space } }: TuningWork, seed: number): Trial {
  const { position, norm, normPlacement, learningRate } = space;
  return settled({
    attention: baseline,
    position: position[0]!,
    norm: norm[0]!,
    normPlacement: normPlacement[0]!,
    learningRate: learningRate[0]!,
    techniques: [],
    start: 'drawn',
    exits: space.exits?.[0] ?? null,
    layerCost: space.layerCost?.[0] ?? null,
    seed,
  });
}

async function tuneCandidate(work: TuningWork, candidate: string, baseline: readonly FinishedTrial[]): Promise<TunedCandidate> {
  const references = [];
  for (const each of baseline) references.push(await referenceOf(work, each));
  const swapped: number[] = [];
  for (const [index, reference] of references.entries()) {
    const scores = candidate === work.tuning.baseline ? baseline[index]!.test : await swappedScores(work, candidate, reference);
    swapped.push(scores.mean);
  }
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
    recovered: recoveredShare({ baseline: meansOf(baseline), swapped, tuned: meansOf(finalists) }, marginOf(work, baseline[0]!)),
    ablations: await ablate(work, finalists, references),
    weightedShare: weightedShare(work, finalists[0]!.trial),
    latency,
    memory,
    quality,
    decision: decideMigration({ candidate, latency: at(latency), memory: at(memory), wantedLengths: [], quality }),
    waste: await attentionWaste(work, finalists[0]!),
    graded: await gradedDepth(work, finalists[0]!),
    model: await exportedModel(work, finalists[0]!.trial),
  };
}

/** Whether a variant chooses keys by their scores, so that choosing at random is another thing. */
function selects(candidate: string): boolean {
  const { variant, parameters } = parseVariant(readCandidate(candidate).attention);
  return findVariant(variant).selectivity?.(parameters) !== undefined;
}

function judgeQuality(work: TuningWork, base: FinishedTrial, fresh: FinishedTrial): QualityJudgement {
  const estimate = estimatePaired({ base: base.test.items, new: fresh.test.items }, { seed: work.seed });
  return judgePaired(estimate, marginOf(work, base));
}

/** The largest loss of score that passes. */
function marginOf({ tuning }: TuningWork, base: FinishedTrial): number {
  return tuning.qualityMargin * Math.max(Math.abs(base.test.mean), 1e-6);
}

function meansOf(trials: readonly FinishedTrial[]): number[] {
  return trials.map(({ test }) => test.mean);
}

/** Over all attentions of the model. */
function weightedShare({ task, tuning }: TuningWork, trial: Trial): number {
  const testbed = testbedOf(trial, tuning, task);
  const work = sitesOf(testbed).map((site) => {
    const { variant, parameters } = parseVariant(site.attention);
    return findVariant(variant).cost(parameters, siteShape(testbed, site, longestOf(testbed)));
  });
  const total = (of: 'weightedPairs' | 'densePairs') => work.reduce((sum, each) => sum + each[of], 0);
  return total('weightedPairs') / total('densePairs');
}
