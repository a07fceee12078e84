import { existsSync } from 'node:fs';
import { AttnswapError } from '../contract/errors.ts';
import { writeWeights } from '../training/initial-weights.ts';
import { attentionIn } from './progressive.ts';
import { fileAt, stepsOf } from './files.ts';
import { swappedWeights } from './first-weights.ts';
import type { Reference } from './run-trial.ts';
import { testScores } from './scores.ts';
import type { TestScores } from './scores.ts';
import { testbedOf } from './trial.ts';
import type { TuningWork } from './work.ts';

/** Phase 2: another attention under the baseline's trained weights, nothing trained. */
export async function swappedScores(work: TuningWork, candidate: string, reference: Reference): Promise<TestScores> {
  const { tuning, task, trainer, state } = work;
  const trial = { ...reference.trial, attention: candidate };
  return state.step(`swap/${candidate}/seed${trial.seed}`, async () => {
    work.progress(`${candidate} under the baseline's weights`);
    const testbed = testbedOf(trial, tuning, task);
    const weights = await fileAt(work, 'swapped', `${tuning.candidates.indexOf(candidate)}-seed${trial.seed}.safetensors`);
    if (!existsSync(weights)) await writeWeights(weights, testbed, await swappedWeights(work, trial, reference));
    const { weightDecay, warmUpSteps, clip } = tuning.training;
    const training = await trainer.adapter.train?.({
      backend: trainer.backend,
      testbed,
      weights,
      attention: attentionIn(trial, 0, { layers: tuning.model.layers, length: task.length }),
      optimizer: { learningRate: trial.learningRate, weightDecay, warmUpSteps, clip, steps: stepsOf(work) },
      ...(work.threads !== undefined && { threads: work.threads }),
    });
    if (training === undefined || 'unsupported' in training) throw new AttnswapError('UNSUPPORTED', training?.unsupported ?? 'no trainer');
    try {
      return await testScores(work, training, trial);
    } finally {
      await training.close();
    }
  });
}
