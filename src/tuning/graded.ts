import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { compareLatency } from '../compare/compare-latency.ts';
import { comparisonSchema } from '../contract/verdict.ts';
import type { Comparison } from '../contract/verdict.ts';
import { writeTensors } from '../data/tensor-files.ts';
import { plainRule } from '../decide/rule.ts';
import { modelArm } from '../measure/arm.ts';
import type { ModelArm } from '../measure/arm.ts';
import { fileNameOf } from '../migration/candidate.ts';
import { qualityOutcomes } from '../quality/judgement.ts';
import { estimatePaired, judgePaired } from '../quality/paired.ts';
import { digits } from '../text/figures.ts';
import { exportTestbed } from '../training/export-onnx.ts';
import type { TaskItems } from '../training/task.ts';
import { testbedFeeds } from '../training/testbed-feeds.ts';
import { exportedModel, timeoutSeconds } from './exported.ts';
import { fileAt } from './files.ts';
import type { FinishedTrial } from './finish-trial.ts';
import { beginTraining, trainedWeights, weightsOf } from './run-trial.ts';
import { testScores } from './scores.ts';
import { testbedOf, trialId } from './trial.ts';
import type { Trial } from './trial.ts';
import type { TuningWork } from './work.ts';

/** The largest loss of score, as a share of that through all layers, at which exits count as equal. */
const qualityMargin = 0.01;
/** Items that one call runs, the first of their difficulty. */
const itemsOfCall = 4;
/** The slowdown against the model without exits that a hard item may have. */
const slowdownMargin = 0.1;

const mean = z.number().nullable();

/** A model with exits on test items of graded difficulty, beside itself without exits: the same weights, every item through all layers. */
export const gradedSchema = z.object({
  /** Of all test items, exits against none. */
  quality: z.object({ outcome: z.enum(qualityOutcomes), reason: z.string().max(20_000), marginsLost: z.number().nullable() }),
  levels: z
    .array(
      z.object({
        difficulty: z.int(),
        items: z.int().min(1),
        /** Mean scores with exits and without. */
        score: mean,
        whole: mean,
        /** Mean number of layers up to an answer. */
        layers: mean,
        /** Exits against none, on items of this difficulty. */
        latency: comparisonSchema,
      }),
    )
    .min(1)
    .max(1000)
    .readonly(),
  /** With exits, the easiest items against the hardest. */
  easy: comparisonSchema,
});
export type Graded = z.infer<typeof gradedSchema>;

/** How depth follows difficulty; null where items are not graded, there are no exits, or the training diverged. */
export async function gradedDepth(work: TuningWork, { trial, epochs, test }: FinishedTrial): Promise<Graded | null> {
  const items = await work.task.items('test', work.tuning.items.test, 0);
  const { difficulty } = items;
  if (difficulty === undefined || trial.exits === null || test.depths === undefined || epochs.at(-1)?.diverged === true) return null;
  return work.state.step(`graded/${trialId(trial)}`, async () => {
    const whole = await wholeScores(work, trial);
    const levels: Graded['levels'][number][] = [];
    const arms: ModelArm[] = [];
    for (const level of [...new Set(difficulty)].toSorted((a, b) => a - b)) {
      const places = [...difficulty.keys()].filter((item) => difficulty[item] === level);
      const meanOf = (values: readonly number[]) => places.reduce((sum, item) => sum + values[item]!, 0) / places.length;
      const chosen = chosenItems(items, places.slice(0, itemsOfCall));
      const [base, fresh] = [
        await armOf(work, trial, { level, chosen, exits: false }),
        await armOf(work, trial, { level, chosen, exits: true }),
      ];
      const latency = await compare(work, { base, new: fresh }, `exits against none, difficulty ${level}`, slowdownMargin);
      levels.push({
        difficulty: level,
        items: places.length,
        score: meanOf(test.items),
        whole: meanOf(whole),
        layers: meanOf(test.depths!),
        latency,
      });
      arms.push(fresh);
    }
    const easy = await compare(work, { base: arms.at(-1)!, new: arms[0]! }, 'the easiest items against the hardest', slowdownMargin);
    const estimate = estimatePaired({ base: whole, new: test.items }, { seed: work.seed });
    const quality = judgePaired(estimate, qualityMargin * Math.max(Math.abs(estimate.base), 1e-6));
    return { quality, levels, easy };
  });
}

/** How many times as fast the new arm is, with its interval. */
export function speedText({ effect, outcome }: Comparison): string {
  if (effect === null) return outcome;
  const times = (change: number) => digits(1 / (1 + change));
  return `${times(effect.estimate)} (${times(effect.high)} … ${times(effect.low)})`;
}

/** Scores of the test items through all layers. */
async function wholeScores(work: TuningWork, trial: Trial): Promise<readonly number[]> {
  const training = await beginTraining(work, { ...trial, exits: null }, await weightsOf(work, trial));
  try {
    return (await testScores(work, training, trial)).items;
  } finally {
    await training.close();
  }
}

function chosenItems({ length, tokens, targets }: TaskItems, places: readonly number[]): TaskItems {
  const rows = (values: Int32Array) => Int32Array.from(places.flatMap((item) => [...values.subarray(item * length, (item + 1) * length)]));
  return { items: places.length, length, tokens: rows(tokens), targets: rows(targets) };
}

/** The exported model with or without exits, on items of one difficulty. */
async function armOf(
  work: TuningWork,
  trial: Trial,
  { level, chosen, exits }: { level: number; chosen: TaskItems; exits: boolean },
): Promise<ModelArm> {
  const { task, tuning, runner, threads } = work;
  const testbed = testbedOf(exits ? trial : { ...trial, exits: null }, tuning, task);
  const file = await fileAt(work, 'data', `difficulty-${level}${exits ? '-asked' : ''}.safetensors`);
  if (!existsSync(file)) await writeTensors(file, testbedFeeds(testbed, chosen));
  const model = exits ? await exportedModel(work, trial) : await wholeModel(work, trial);
  return modelArm({ backend: runner.backend, model, feeds: { file }, ...(threads !== undefined && { threads }) }, runner.entry);
}

/** The model of a trial without its exits. */
async function wholeModel(work: TuningWork, trial: Trial): Promise<string> {
  const path = await fileAt(work, 'models', fileNameOf(`${trialId(trial)} without exits`));
  if (existsSync(path)) return path;
  const testbed = testbedOf({ ...trial, exits: null }, work.tuning, work.task);
  await writeFile(path, exportTestbed(testbed, await trainedWeights(work, trial), { adapter: work.runner.adapter }));
  return path;
}

/** One look at the end: the figure is wanted, not the soonest verdict. */
async function compare(work: TuningWork, arms: { base: ModelArm; new: ModelArm }, name: string, margin: number): Promise<Comparison> {
  work.progress(name);
  const plan = { looks: [work.maxBlocks], tail: 0.025 };
  const options = { seed: work.seed, floor: null, family: 1, plan, timeoutSeconds, blockSeconds: 0.5, signal: work.signal };
  const subject = { cell: `${name} at ${work.task.length}`, name };
  return (await compareLatency(arms, subject, plainRule('latency', margin), options)).comparison;
}
