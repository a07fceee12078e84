import { meanInterval } from '../statistics/student.ts';
import type { Interval } from '../statistics/resample.ts';
import type { Epoch } from './work.ts';

/** How many steps two kinds of training took to the same validation score, a figure a seed. */
export interface StepSaving {
  readonly with: readonly number[];
  readonly without: readonly number[];
  /** 1 − with/without, the geometric mean over seeds, with Student's 95 % interval of the logarithms. */
  readonly saved: Interval & { readonly estimate: number };
}

/**
 * Steps until the validation score first reaches `quality`, linear between the ends of epochs; undefined where it never does. What is reached
 * within the first epoch counts as its end: nothing is known before.
 */
export function stepsToQuality(epochs: readonly Epoch[], quality: number): number | undefined {
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

/**
 * What a choice saves in steps: seed by seed the score that both trainings ended with at least, and how long each took to it. Null where a training
 * diverged.
 */
export function stepSaving(withIt: ReadonlyArray<readonly Epoch[]>, withoutIt: ReadonlyArray<readonly Epoch[]>): StepSaving | null {
  if ([...withIt, ...withoutIt].some((epochs) => epochs.at(-1)?.diverged === true)) return null;
  const pairs = withIt.map((epochs, seed) => {
    const other = withoutIt[seed]!;
    const quality = Math.min(epochs.at(-1)!.validation, other.at(-1)!.validation);
    return { with: stepsToQuality(epochs, quality)!, without: stepsToQuality(other, quality)! };
  });
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
