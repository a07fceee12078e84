import { meanInterval } from '../statistics/student.ts';
import type { Interval } from '../statistics/resample.ts';
import { isScore } from './trial.ts';
import type { Trial } from './trial.ts';

/** How many steps two kinds of training took to the same validation score, a figure a seed. */
export interface StepSaving {
  readonly with: readonly number[];
  readonly without: readonly number[];
  /** 1 − with/without, the geometric mean over seeds, with Student's 95 % interval of the logarithms. */
  readonly saved: Interval & { readonly estimate: number };
}

/** An epoch as its steps are counted: a loss each, and the validation score at its end. */
interface CountedEpoch {
  readonly losses: { readonly length: number };
  readonly validation: number;
  readonly diverged?: true | undefined;
}

/** A finished training, as it is at work or as a record has it: what is not finite is null there. */
interface Finished {
  readonly epochs: ReadonlyArray<Omit<CountedEpoch, 'validation'> & { readonly validation: number | null }>;
}

/**
 * Steps until the validation score first reaches `quality`, linear between the ends of epochs; undefined where it never does. What is reached
 * within the first epoch counts as its end: nothing is known before.
 */
export function stepsToQuality(epochs: readonly CountedEpoch[], quality: number): number | undefined {
  let steps = 0;
  for (const [index, { losses, validation }] of epochs.entries()) {
    const before = epochs[index - 1]?.validation;
    if (validation >= quality) {
      const share = before === undefined || validation === before ? 1 : (quality - before) / (validation - before);
      return steps + share * losses.length;
    }
    steps += losses.length;
  }
  return undefined;
}

type Curves = ReadonlyArray<readonly CountedEpoch[]>;

/**
 * What a choice saves in steps: seed by seed the score that both trainings ended with at least, and how long each took to it. Null where a training
 * diverged.
 */
export function stepSaving(withIt: Curves, withoutIt: Curves): StepSaving | null {
  if ([...withIt, ...withoutIt].some((epochs) => epochs.at(-1)?.diverged === true)) return null;
  return savingAt(withIt, withoutIt, (seed) => Math.min(lastScore(withIt[seed]!), lastScore(withoutIt[seed]!)));
}

/** What one attention saves in steps over another, to one score for all seeds. */
export interface Convergence extends StepSaving {
  /** Validation score: the one that every training, of both and of all seeds, ended with at least. */
  readonly score: number;
}

/** Candidate trainings, and where they began. */
interface Trained {
  readonly search: { readonly winner: Pick<Trial, 'start'> };
  readonly finalists: readonly Finished[];
}

/**
 * Steps of trained attention against the baseline's, to a score that all of them reached; null where a training diverged or is missing, or began
 * from the baseline's weights, whose steps are not its own.
 */
export function convergenceOf(baseline: readonly Finished[], { search, finalists }: Trained): Convergence | null {
  if (search.winner.start === 'baseline') return null;
  const [base, tuned] = [wholeCurves(baseline), wholeCurves(finalists)];
  if (tuned.length === 0 || tuned.length !== finalists.length || tuned.length !== base.length) return null;
  const score = Math.min(...[...base, ...tuned].map(lastScore));
  return { score, ...savingAt(tuned, base, () => score) };
}

/** The curves of those trainings that never diverged. */
function wholeCurves(trainings: readonly Finished[]): Curves {
  return trainings.flatMap(({ epochs }) => (epochs.length > 0 && epochs.every(hasScore) ? [epochs] : []));
}

function hasScore(epoch: Finished['epochs'][number]): epoch is CountedEpoch {
  return isScore(epoch.validation);
}

function lastScore(epochs: readonly CountedEpoch[]): number {
  return epochs.at(-1)!.validation;
}

function savingAt(withIt: Curves, withoutIt: Curves, qualityOf: (seed: number) => number): StepSaving {
  const pairs = withIt.map((epochs, seed) => ({
    with: stepsToQuality(epochs, qualityOf(seed))!,
    without: stepsToQuality(withoutIt[seed]!, qualityOf(seed))!,
  }));
  const { mean, low, high } = meanInterval(
    pairs.map((pair) => Math.log(pair.with / pair.without)),
    0.025,
  );
  return {
    with: pairs.map((pair) => pair.with),
    without: pairs.map((pair) => pair.without),
    saved: { estimate: 1 - Math.exp(mean), low: 1 - Math.exp(high), high: 1 - Math.exp(low) },
  };
}
