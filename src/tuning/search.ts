import { nextJob, rungsOf, winnerOf } from './halving.ts';
import { proposeTrials } from './propose.ts';
import { rampEpochs } from './progressive.ts';
import { runTrial } from './run-trial.ts';
import type { Reference, Trial } from './trial.ts';
import { trialId } from './trial.ts';
import type { TuningWork } from './work.ts';

/** A trial of the search with its validation score at each rung that it reached. */
export interface SearchedTrial {
  readonly id: string;
  readonly trial: Trial;
  readonly scores: readonly number[];
  /** With exits, the mean number of layers up to an answer at each rung; null where training diverged. */
  readonly layers?: ReadonlyArray<number | null>;
}

export interface TrialSearch {
  readonly candidate: string;
  /** Epochs of each rung. */
  readonly rungs: readonly number[];
  readonly trials: readonly SearchedTrial[];
  /** The best trial of the highest rung, or one with exits that is as good within the quality margin and answers after fewer layers. */
  readonly winner: Trial;
}

/** Searches the space for one attention. What was trained is in the state, so that an interrupted search takes the same decisions again. */
export async function searchCandidate(work: TuningWork, candidate: string, reference: Reference): Promise<TrialSearch> {
  const { tuning, seed } = work;
  const trials = proposeTrials(tuning, candidate, seed);
  const { reduction } = tuning.search;
  // A trial on its way from dense attention is not to be judged before it has arrived.
  const sparsifies = tuning.space.techniques.some((techniques) => techniques.includes('sparsify'));
  const rungs = rungsOf(tuning.training.epochs, reduction, sparsifies ? rampEpochs(tuning.training.epochs) : 1);
  const contestants = trials.map(() => ({ scores: [] as number[], layers: [] as Array<number | null> }));
  for (let job = nextJob(contestants, rungs.length, reduction); job !== undefined; job = nextJob(contestants, rungs.length, reduction)) {
    const trial = trials[job.contestant]!;
    const { validation, layers = trial.exits === null ? tuning.model.layers : null } = (
      await runTrial(work, trial, rungs[job.rung]!, { reference })
    ).at(-1)!;
    contestants[job.contestant]!.scores.push(validation);
    contestants[job.contestant]!.layers.push(layers);
  }
  const searched = trials.map((trial, index) => {
    const { scores, layers } = contestants[index]!;
    return { id: trialId(trial), trial, scores, ...(trial.exits !== null && { layers }) };
  });
  return { candidate, rungs, trials: searched, winner: trials[winnerOf(contestants, tuning.qualityMargin)]! };
}
