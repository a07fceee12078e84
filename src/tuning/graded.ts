import { existsSync } from 'node:fs';
import { z } from 'zod';
import { compareLatency } from '../compare/compare-latency.ts';
import { comparisonSchema } from '../contract/verdict.ts';
import type { Comparison } from '../contract/verdict.ts';
import { writeTensors } from '../data/tensor-files.ts';
import { plainRule } from '../decide/rule.ts';
import { modelArm } from '../measure/arm.ts';
import type { ModelArm } from '../measure/arm.ts';
import { qualityOutcomes } from '../quality/judgement.ts';
import { estimatePaired, judgePaired } from '../quality/paired.ts';
import { digits, percent } from '../text/figures.ts';
import type { TaskItems } from '../training/task.ts';
import { testbedFeeds } from '../training/testbed-feeds.ts';
import { exportedModel, timeoutSeconds } from './exported.ts';
import { fileAt, itemsOf } from './files.ts';
import type { FinishedTrial } from './finish-trial.ts';
import { beginTraining, weightsOf } from './run-trial.ts';
import { meanOf, testScores } from './scores.ts';
import { testbedOf, trialId } from './trial.ts';
import type { Trial } from './trial.ts';
import type { TuningWork } from './work.ts';

/** The largest loss of score, as a share of that through all layers, at which exits count as equal. */
const qualityMargin = 0.01;
/** Items that one call runs at most: the first of their difficulty, as many of each. */
const mostOfCall = 4;
/** The slowdown against the model without exits that a hard item may have. */
const slowdownMargin = 0.1;

const mean = z.number().nullable();

/** A model with exits on test items of graded difficulty, beside itself without exits: the same weights, every item through all layers. */
export const gradedSchema = z.object({
  /** Of the hardest test items, exits against none: an easy one that leaves early says nothing of what hard ones lose. */
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
  /** Items that each timed call ran. */
  timed: z.int().min(1),
  /** With exits, the easiest items against the hardest; null where all are of one difficulty. */
  easy: comparisonSchema.nullable(),
});
export type Graded = z.infer<typeof gradedSchema>;

/** How depth follows difficulty; null where items are not graded, there are no exits, or the training diverged. */
export async function gradedDepth(work: TuningWork, { trial, epochs, test }: FinishedTrial): Promise<Graded | null> {
  const items = await itemsOf(work, 'test', 0);
  const { difficulty } = items;
  if (difficulty === undefined || trial.exits === null || test.depths === undefined || epochs.at(-1)?.diverged === true) return null;
  const measure = async (): Promise<Graded> => {
    const whole = await wholeScores(work, trial);
    const grades = [...new Set(difficulty)].toSorted((a, b) => a - b);
    const placesOf = new Map(grades.map((level) => [level, [...difficulty.keys()].filter((item) => difficulty[item] === level)]));
    const timed = Math.min(mostOfCall, ...[...placesOf.values()].map((places) => places.length));
    const levels: Graded['levels'][number][] = [];
    const arms: ModelArm[] = [];
    const family = grades.length;
    for (const [level, places] of placesOf) {
      const of = (values: readonly number[]) => places.map((item) => values[item]!);
      const chosen = chosenItems(items, places.slice(0, timed));
      const [base, fresh] = [
        await armOf(work, trial, { level, chosen, exits: false }),
        await armOf(work, trial, { level, chosen, exits: true }),
      ];
      const latency = await compare(work, { base, new: fresh }, { name: `exits against none, difficulty ${level}`, family });
      levels.push({
        difficulty: level,
        items: places.length,
        score: meanOf(of(test.items)),
        whole: meanOf(of(whole)),
        layers: meanOf(of(test.depths!)),
        latency,
      });
      arms.push(fresh);
    }
    const extremes = { base: arms.at(-1)!, new: arms[0]! };
    const easy = arms.length < 2 ? null : await compare(work, extremes, { name: 'the easiest items against the hardest', family });
    const hardest = placesOf.get(grades.at(-1)!)!;
    const ofHardest = (values: readonly number[]) => hardest.map((item) => values[item]!);
    const estimate = estimatePaired({ base: ofHardest(whole), new: ofHardest(test.items) }, { seed: work.seed });
    const quality = judgePaired(estimate, qualityMargin * Math.max(Math.abs(estimate.base), 1e-6));
    return { quality, levels, timed, easy };
  };
  // What stayed busy is measured again by a rerun.
  const isQuiet = ({ levels, easy }: Graded) => ![...levels.map(({ latency }) => latency), easy].some((each) => each?.busy === true);
  return work.state.step(`graded/${trialId(trial)}`, measure, isQuiet);
}

/** How many times as fast the new arm is, with its interval. */
export function speedText({ effect, outcome }: Comparison): string {
  if (effect === null) return outcome;
  const times = (change: number) => digits(1 / (1 + change));
  return `${times(effect.estimate)} (${times(effect.high)} … ${times(effect.low)})`;
}

/** The easiest items against the hardest, as a sentence; empty where all are of one difficulty. */
export function easyText(easy: Comparison | null): string {
  return easy === null ? '' : `Time of the hardest items ÷ time of the easiest, with exits: ${speedText(easy)}. `;
}

/** When exits pay off, and where they may cost more than they should, in sentences. */
export function payingText({ levels }: Pick<Graded, 'levels'>): string {
  const shown = ({ latency: { outcome } }: Graded['levels'][number]) => outcome === 'pass' || outcome === 'improvement';
  const slow = levels.filter((level) => !shown(level)).map(({ difficulty }) => difficulty);
  const most = percent(slowdownMargin);
  const rest =
    slow.length === 0
      ? `At every difficulty, the slowdown is shown to be below ${most}. `
      : `At difficulty ${slow.join(', ')}, a slowdown of ${most} or more is not ruled out. `;
  return mixText(levels) + rest;
}

/** At which mixes of the easiest and the hardest items exits save time; empty where one of the two is not measured, or they are the same. */
function mixText(levels: Graded['levels']): string {
  const [easiest, hardest] = [levels[0]!.latency.effect, levels.at(-1)!.latency.effect];
  if (easiest === null || hardest === null || levels.length < 2) return '';
  if (easiest.low >= 0) return 'Exits save no time on the easiest items. ';
  if (easiest.high >= 0) return 'Exits are not shown to save time on the easiest items. ';
  if (hardest.high < 0) return 'Exits save time at any mix of the easiest and the hardest items. ';
  if (hardest.low <= 0) return 'Exits save time on the easiest items; that they cost time on the hardest is not shown. ';
  const share = percent(easiest.estimate / (easiest.estimate - hardest.estimate));
  return `Exits save time while fewer than ${share} of the items are of the hardest difficulty and the others of the easiest. `;
}

/** What speeds were measured on: intervals say nothing of other items, or trainings. */
export function timedText(timed: number): string {
  return `${timed === 1 ? 'one item' : `${timed} items`} of each difficulty, one seed`;
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
  const model = await exportedModel(work, trial, { exits });
  return modelArm({ backend: runner.backend, model, feeds: { file }, ...(threads !== undefined && { threads }) }, runner.entry);
}

/** One look at the end: the figure is wanted, not the soonest verdict. `family` figures are read side by side. */
async function compare(
  work: TuningWork,
  arms: { base: ModelArm; new: ModelArm },
  { name, family }: { name: string; family: number },
): Promise<Comparison> {
  work.progress(name);
  const plan = { looks: [work.maxBlocks], tail: 0.025 };
  const options = { seed: work.seed, floor: null, family, plan, timeoutSeconds, signal: work.signal };
  const subject = { cell: `${name} at ${work.task.length}`, name };
  return (await compareLatency(arms, subject, plainRule('latency', slowdownMargin), options)).comparison;
}
