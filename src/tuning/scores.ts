import type { ItemScores, Training } from '../contract/training.ts';
import { translationScores } from '../quality/translation/scores.ts';
import type { TranslationScores } from '../quality/translation/scores.ts';
import type { Task } from '../training/task.ts';
import { goalAttention } from './progressive.ts';
import { dataFile, itemsOf } from './files.ts';
import { testbedOf } from './trial.ts';
import type { Trial } from './trial.ts';
import type { TuningWork } from './work.ts';

/** Tokens of one batch: test items may be longer than those of training, and logits take the square of that. */
const mostTokens = 2 ** 14;

/** A trained model on the test items: a score an item, higher is better. */
export interface TestScores {
  readonly mean: number;
  readonly items: readonly number[];
  /** Mean number of layers up to the answer; absent without exits. */
  readonly layers?: number;
  /** The same of each item, where items are graded. */
  readonly depths?: readonly number[];
  /** Of what greedy decoding gives; absent where nothing is translated. */
  readonly translation?: TranslationScores;
}

/** Mean number of layers up to the answers of trials with exits, over seeds; null where there are none. */
export function meanLayers(trials: ReadonlyArray<{ readonly test: { readonly layers?: number | undefined } }>): number | null {
  const layers = trials.flatMap(({ test }) => test.layers ?? []);
  return layers.length === 0 ? null : layers.reduce((sum, each) => sum + each, 0) / layers.length;
}

/**
 * A score an item, higher is better: the share that is right, minus the bits, or of a translation 1 where all is right. Greedy decoding then gives just
 * that: it reads its own answers, which are the right ones up to the first that is not.
 */
export function scoresOf({ metric, translation }: Pick<Task, 'metric' | 'translation'>, { correct, bits }: ItemScores): number[] {
  if (translation !== undefined) return Array.from(correct, (share) => Number(share === 1));
  return Array.from(metric === 'accuracy' ? correct : bits.map((value) => -value));
}

export function meanOf(scores: ArrayLike<number>): number {
  return Array.from(scores).reduce((sum, value) => sum + value, 0) / scores.length;
}

/** Scores of the test items with the attention that a trial ends with. */
export async function testScores(work: TuningWork, training: Training, trial: Trial): Promise<TestScores> {
  const { task, tuning } = work;
  const attention = goalAttention(trial, testbedOf(trial, tuning, task));
  const batch = Math.max(1, Math.min(tuning.training.batch, Math.floor(mostTokens / task.length)));
  const request = { attention, data: await dataFile(work, 'test', 0), batch };
  const scores = await training.evaluate(request);
  const items = scoresOf(task, scores);
  const { difficulty } = await itemsOf(work, 'test', 0);
  return {
    mean: meanOf(items),
    items,
    ...(scores.layers !== undefined && { layers: meanOf(scores.layers) }),
    ...(scores.layers !== undefined && difficulty !== undefined && { depths: Array.from(scores.layers) }),
    ...(task.translation !== undefined && { translation: await translated(work, await training.translate(request)) }),
  };
}

/** Decoded classes of the test items, as texts beside those that are right. */
async function translated(work: TuningWork, classes: Int32Array): Promise<TranslationScores> {
  const { items, length, targets } = await itemsOf(work, 'test', 0);
  const text = (all: Int32Array, item: number) => work.task.translation!.textOf(all.subarray(item * length, (item + 1) * length));
  const pairs = Array.from({ length: items }, (_, item) => ({ hypothesis: text(classes, item), references: [text(targets, item)] }));
  return translationScores(pairs, work.seed);
}
