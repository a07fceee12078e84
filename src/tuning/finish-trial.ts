import { startTraining, weightsOf, runTrial } from './run-trial.ts';
import type { Epoch, Reference } from './run-trial.ts';
import { testScores } from './scores.ts';
import type { TestScores } from './scores.ts';
import { dataFile } from './files.ts';
import { trialId } from './trial.ts';
import type { Trial } from './trial.ts';
import type { TuningWork } from './work.ts';

/** A trial that was trained to its end and tested. */
export interface FinishedTrial {
  readonly trial: Trial;
  readonly epochs: readonly Epoch[];
  readonly test: TestScores;
}

/** Trains to the end and scores the test items. */
export async function finishTrial(work: TuningWork, trial: Trial, reference?: Reference): Promise<FinishedTrial> {
  const epochs = await runTrial(work, trial, work.tuning.training.epochs, reference);
  const test = await work.state.step(`trial/${trialId(trial)}/test`, async () => {
    const training = await startTraining(work, trial, reference);
    try {
      await training.load(await weightsOf(work, trial));
      return await testScores(work, training, trial);
    } finally {
      await training.close();
    }
  });
  return { trial, epochs, test };
}

/** What trials learn from: the finished baseline of a seed, with the importance of its heads on validation items. */
export async function referenceOf(work: TuningWork, { trial }: FinishedTrial): Promise<Reference> {
  const weights = await weightsOf(work, trial);
  const importance = await work.state.step(`trial/${trialId(trial)}/importance`, async () => {
    const training = await startTraining(work, trial);
    try {
      await training.load(weights);
      return await training.importance({ data: await dataFile(work, 'validation', 0), batch: work.tuning.training.batch });
    } finally {
      await training.close();
    }
  });
  const total = importance.flat().reduce((sum, value) => sum + value, 0);
  return {
    trial,
    weights,
    importance: importance.map((heads) => heads.map((value) => (total > 0 ? value / total : 1 / (importance.length * heads.length)))),
  };
}
