import { AttnswapError } from '../contract/errors.ts';
import { initialWeights, readWeights } from '../training/initial-weights.ts';
import type { Reference, Trial } from './trial.ts';
import { testbedOf } from './trial.ts';
import type { TuningWork } from './work.ts';

/** A trial's weights before training: drawn from its seed, or the baseline's where they have the same name and size. */
export async function firstWeights(work: TuningWork, trial: Trial, reference?: Reference): Promise<Map<string, Float32Array>> {
  const testbed = testbedOf(trial, work.tuning, work.task);
  const drawn = initialWeights(testbed, trial.seed, work.task);
  if (trial.start === 'drawn') return drawn;
  if (reference === undefined) throw new AttnswapError('INVALID_SUITE', 'the baseline itself cannot start from the baseline');
  return swappedWeights(work, trial, reference);
}

/** The baseline's weights under another attention: what the new one adds, such as a gate, is drawn. */
export async function swappedWeights({ tuning, task }: TuningWork, trial: Trial, reference: Reference): Promise<Map<string, Float32Array>> {
  const drawn = initialWeights(testbedOf(trial, tuning, task), trial.seed, task);
  const trained = await readWeights(reference.weights, testbedOf(reference.trial, tuning, task));
  return new Map([...drawn].map(([name, values]) => [name, trained.get(name)?.length === values.length ? trained.get(name)! : values]));
}
