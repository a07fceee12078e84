import type { Training } from '../contract/training.ts';
import { goalAttention } from './progressive.ts';
import { dataFile } from './files.ts';
import type { Trial } from './trial.ts';
import type { TuningWork } from './work.ts';

/** A trained model on the test items: a score an item, higher is better. */
export interface TestScores {
  readonly mean: number;
  readonly items: readonly number[];
  /** Mean number of layers up to the answer; absent without exits. */
  readonly layers?: number;
}

/** Mean number of layers up to the answers of trials with exits, over seeds; null where there are none. */
export function meanLayers(trials: ReadonlyArray<{ readonly test: { readonly layers?: number | undefined } }>): number | null {
  const layers = trials.flatMap(({ test }) => test.layers ?? []);
  return layers.length === 0 ? null : layers.reduce((sum, each) => sum + each, 0) / layers.length;
}

/** Scores of the test items with the attention that a trial ends with. */
export async function testScores(work: TuningWork, training: Training, trial: Trial): Promise<TestScores> {
  const { task, tuning } = work;
  const attention = goalAttention(trial, tuning.model);
  const { correct, bits, layers } = await training.evaluate({
    attention,
    data: await dataFile(work, 'test', 0),
    batch: tuning.training.batch,
  });
  const items = Array.from(task.metric === 'accuracy' ? correct : bits.map((value) => -value));
  const mean = (values: Iterable<number>) => [...values].reduce((sum, value) => sum + value, 0) / items.length;
  return { mean: mean(items), items, ...(layers !== undefined && { layers: mean(layers) }) };
}
