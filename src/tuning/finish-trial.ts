import { runTrial, weightsOf } from './run-trial.ts';
import type { Epoch, TuningWork } from './work.ts';
import type { Reference, Trial } from './trial.ts';
import { testScores } from './scores.ts';
import type { TestScores } from './scores.ts';
import { dataFile } from './files.ts';
import { trialId } from './trial.ts';

/** A trial that was trained to its end and tested. */
export interface FinishedTrial {
  readonly trial: Trial;
  readonly epochs: readonly Epoch[];
  readonly test: TestScores;
  /** `[attentions][heads]`: the loss's sensitivity to each head's output, on validation items. */
  readonly importance: ReadonlyArray<readonly number[]>;
}

/** Trains to the end, scores the test items, and asks how much each head matters. */
export async function finishTrial(work: TuningWork, trial: Trial, reference?: Reference): Promise<FinishedTrial> {
  const { state, tuning } = work;
  const [tested, weighed] = [`trial/${trialId(trial)}/test`, `trial/${trialId(trial)}/importance`];
  const isFinished = state.found(tested) !== undefined && state.found(weighed) !== undefined;
  const epochs = await runTrial(work, trial, tuning.training.epochs, {
    reference,
    ...(!isFinished && {
      async afterwards(training) {
        await state.step(tested, () => testScores(work, training, trial));
        const batch = { data: await dataFile(work, 'validation', 0), batch: tuning.training.batch };
        await state.step(weighed, () => training.importance(batch));
      },
    }),
  });
  return { trial, epochs, test: state.found(tested) as TestScores, importance: state.found(weighed) as number[][] };
}

/** What trials learn from: the finished baseline of a seed. */
export async function referenceOf(work: TuningWork, { trial, importance }: FinishedTrial): Promise<Reference> {
  const total = importance.flat().reduce((sum, value) => sum + value, 0);
  const share = (value: number) => (total > 0 ? value / total : 1 / importance.flat().length);
  return { trial, weights: await weightsOf(work, trial), importance: importance.map((heads) => heads.map(share)) };
}
