import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { AttnswapError } from '../contract/errors.ts';
import type { Teacher, Training } from '../contract/training.ts';
import { readWeights, writeWeights } from '../training/initial-weights.ts';
import { writeItems } from '../training/write-items.ts';
import { attentionIn, goalAttention } from './progressive.ts';
import { dataFile, fileAt, orderFile, stepsOf } from './files.ts';
import { firstWeights } from './first-weights.ts';
import { meanOf, scoresOf } from './scores.ts';
import { noScore, testbedOf, trialId } from './trial.ts';
import type { Reference, Trial } from './trial.ts';
import type { Epoch, TuningWork } from './work.ts';

/** Whether a trial has come as far as is wanted: that many epochs, or a score that is enough. */
function isDone({ tuning: { training } }: TuningWork, epochs: readonly Epoch[], wanted: number): boolean {
  if (epochs.at(-1)?.diverged === true) return true;
  return epochs.length >= wanted || (training.enough !== undefined && (epochs.at(-1)?.validation ?? -Infinity) >= training.enough);
}

/** What is asked of a trained model, in the process that holds it. */
export type Afterwards = (training: Training) => Promise<void>;

/**
 * Trains a trial up to `wanted` epochs, from where it stands: every epoch is a step of the state, its checkpoint in a file, so that a kill at any
 * moment loses the running epoch at most.
 * @throws what the trainer throws; the signal's reason once it is aborted
 */
export async function runTrial(
  work: TuningWork,
  trial: Trial,
  wanted: number,
  { reference, afterwards }: { readonly reference?: Reference | undefined; readonly afterwards?: Afterwards } = {},
): Promise<Epoch[]> {
  const id = trialId(trial);
  // A trial may have gone further before: a search that is asked again judges it by what it saw then.
  const epochs = recordedEpochs(work, id).slice(0, wanted);
  work.timeLeft.done(id, epochs.length);
  if (isDone(work, epochs, wanted) && afterwards === undefined) return epochs;
  const training = await startTraining(work, trial, reference);
  try {
    if (epochs.length > 0) await training.load(await checkpointOf(work, id, epochs.length));
    while (!isDone(work, epochs, wanted)) {
      work.signal?.throwIfAborted();
      const epoch = epochs.length;
      work.progress(`${id}: epoch ${epoch + 1} of ${wanted}`, { last: epochs.at(-1), atMostSeconds: work.timeLeft.atMostSeconds });
      const start = performance.now();
      epochs.push(await work.state.step(`trial/${id}/epoch ${epoch}`, () => trainEpoch(work, training, trial, epoch)));
      work.timeLeft.done(id, epochs.length, (performance.now() - start) / 1000);
      await rm(await checkpointOf(work, id, epoch), { force: true });
    }
    await training.save(await weightsOf(work, trial), { optimizer: false });
    await afterwards?.(training);
  } finally {
    await training.close();
  }
  return epochs;
}

/**
 * Has the trainer translate one item with a trial's first weights, where the task translates: one that cannot is to fail before anything is trained.
 * @throws what the trainer throws
 */
export async function checkTranslates(work: TuningWork, trial: Trial): Promise<void> {
  const { task, tuning } = work;
  if (task.translation === undefined || recordedEpochs(work, trialId(trial)).length > 0) return;
  const training = await startTraining(work, trial);
  try {
    const data = await fileAt(work, 'data', 'one.safetensors');
    await writeItems(data, await task.items('validation', 1, 0));
    await training.translate({ attention: goalAttention(trial, testbedOf(trial, tuning, task)), data, batch: 1 });
  } finally {
    await training.close();
  }
}

function recordedEpochs({ state }: TuningWork, id: string): Epoch[] {
  const epochs: Epoch[] = [];
  for (let found = state.found(`trial/${id}/epoch 0`); found !== undefined; found = state.found(`trial/${id}/epoch ${epochs.length}`))
    epochs.push(found as Epoch);
  return epochs;
}

async function trainEpoch(work: TuningWork, training: Training, trial: Trial, epoch: number): Promise<Epoch> {
  const { task, tuning } = work;
  const { losses, diverged, elapsedNs } = await training.epoch({
    attention: attentionIn(trial, epoch, goalOf(work, trial)),
    data: await dataFile(work, 'train', trial.seed),
    order: await orderFile(work, trial.seed, epoch),
  });
  if (diverged) return { losses, elapsedNs, validation: noScore, diverged };
  const goal = goalAttention(trial, goalOf(work, trial).testbed);
  const scores = await training.evaluate({ attention: goal, data: await dataFile(work, 'validation', 0), batch: tuning.training.batch });
  const path = await checkpointOf(work, trialId(trial), epoch + 1);
  await training.save(`${path}.tmp`, { optimizer: true });
  await rename(`${path}.tmp`, path);
  const layers = scores.layers && { layers: meanOf(scores.layers) };
  return { losses, elapsedNs, validation: meanOf(scoresOf(task, scores)), ...layers };
}

/** What a trial's attention comes to, and when. */
function goalOf({ tuning, task }: TuningWork, trial: Trial) {
  return { testbed: testbedOf(trial, tuning, task), epochs: tuning.training.epochs };
}

/** Begins a training of a trial from its first weights, written where they are not there yet. */
async function startTraining(work: TuningWork, trial: Trial, reference?: Reference): Promise<Training> {
  const path = await fileAt(work, 'first', `${digest(trialId(trial))}.safetensors`);
  if (!existsSync(path)) await writeWeights(path, testbedOf(trial, work.tuning, work.task), await firstWeights(work, trial, reference));
  const learns = reference !== undefined && trial.techniques.some((technique) => technique !== 'sparsify');
  return beginTraining(work, trial, path, learns ? teacherOf(work, trial, reference) : undefined);
}

/** A trial in the trainer, from the weights of a file. @throws UNSUPPORTED where the trainer is not there */
export async function beginTraining(work: TuningWork, trial: Trial, weights: string, teacher?: Teacher): Promise<Training> {
  const { tuning, task, threads, trainer } = work;
  const { weightDecay, warmUpSteps, clip, epochs } = tuning.training;
  const training = await trainer.adapter.train?.({
    backend: trainer.backend,
    testbed: testbedOf(trial, tuning, task),
    weights,
    attention: attentionIn(trial, 0, goalOf(work, trial)),
    optimizer: { learningRate: trial.learningRate, weightDecay, warmUpSteps, clip, steps: epochs * stepsOf(work) },
    ...(teacher !== undefined && { teacher }),
    ...(threads !== undefined && { threads }),
    signal: work.signal,
  });
  if (training === undefined || 'unsupported' in training)
    throw new AttnswapError('UNSUPPORTED', training?.unsupported ?? `${trainer.adapter.name} has no trainer`);
  return training;
}

function teacherOf({ tuning, task }: TuningWork, { techniques }: Trial, reference: Reference): Teacher {
  const { distillation } = tuning;
  const testbed = testbedOf(reference.trial, tuning, task);
  return {
    testbed,
    weights: reference.weights,
    attention: goalAttention(reference.trial, testbed),
    weight: techniques.includes('distil') ? distillation.weight : 0,
    temperature: distillation.temperature,
    ...(techniques.includes('heads') && { headWeights: reference.importance, headLoss: distillation.headLoss }),
  };
}

/** Where a trial's weights lie once it has ended. */
export function weightsOf(work: TuningWork, trial: Trial): Promise<string> {
  return fileAt(work, 'weights', `${digest(trialId(trial))}.safetensors`);
}

/** The weights of a trial that has ended. */
export async function trainedWeights(work: TuningWork, trial: Trial): Promise<Map<string, Float32Array>> {
  return readWeights(await weightsOf(work, trial), testbedOf(trial, work.tuning, work.task));
}

function checkpointOf(work: TuningWork, id: string, epochs: number): Promise<string> {
  return fileAt(work, 'checkpoints', `${digest(id)}-${epochs}.safetensors`);
}

function digest(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 16);
}
