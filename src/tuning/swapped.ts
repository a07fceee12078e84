import { existsSync } from 'node:fs';
import { writeWeights } from '../training/initial-weights.ts';
import { fileAt } from './files.ts';
import { swappedWeights } from './first-weights.ts';
import { beginTraining } from './run-trial.ts';
import type { Reference } from './trial.ts';
import { testScores } from './scores.ts';
import type { TestScores } from './scores.ts';
import { testbedOf } from './trial.ts';
import type { TuningWork } from './work.ts';

/** Phase 2: another attention under the baseline's trained weights, nothing trained. */
export async function swappedScores(work: TuningWork, candidate: string, reference: Reference): Promise<TestScores> {
  const { tuning, task, state } = work;
  const trial = { ...reference.trial, attention: candidate };
  return state.step(`swap/${candidate}/seed${trial.seed}`, async () => {
    work.progress(`${candidate} with the baseline's weights`);
    const path = await fileAt(work, 'swapped', `${tuning.candidates.indexOf(candidate)}-seed${trial.seed}.safetensors`);
    if (!existsSync(path)) await writeWeights(path, testbedOf(trial, tuning, task), await swappedWeights(work, trial, reference));
    const training = await beginTraining(work, trial, path);
    try {
      return await testScores(work, training, trial);
    } finally {
      await training.close();
    }
  });
}
