import { blocksNeeded } from '../statistics/power.ts';
import { meanInterval } from '../statistics/student.ts';
import { percent } from '../text/figures.ts';
import type { FinishedRecord, StoredTuningRecord, TuningCandidateRecord } from '../tuning/record.ts';
import { translationDifference } from '../tuning/difference.ts';
import { timedText } from '../tuning/graded.ts';
import type { Graded } from '../tuning/graded.ts';
import { convergenceOf } from '../tuning/steps-to-quality.ts';
import type { StepSaving } from '../tuning/steps-to-quality.ts';
import { baseToNew } from '../verdict/wording.ts';
import { largestFirst } from './evidence.ts';
import type { Figure } from './evidence.ts';

type StoredSaving = NonNullable<TuningCandidateRecord['ablations'][number]['steps']>;

/** Training steps that a technique saves on the way to the same validation score, against a claim of at least `claimed`; the most first. */
export function stepsSaved(claimed: number) {
  return ({ candidates, settings }: StoredTuningRecord): Figure[] =>
    largestFirst(
      candidates.flatMap(({ candidate, ablations }) =>
        ablations.flatMap(({ without, steps }): Figure[] => {
          const technique = /^(sparsify|distil|heads) left out$/.exec(without)?.[1];
          if (technique === undefined || steps === null) return [];
          return savedFigure(steps, `${settings.name}: ${technique} for ${candidate}`, claimed);
        }),
      ),
    );
}

/** Training steps that attention trained with a technique saves over the baseline, to one validation score; the most first. */
export function stepsSavedOverBaseline(claimed: number) {
  return ({ baseline, candidates, settings }: StoredTuningRecord): Figure[] =>
    largestFirst(
      candidates.flatMap(({ candidate, search, finalists }): Figure[] => {
        const { techniques } = search.winner;
        const steps = convergenceOf(baseline, { search, finalists });
        if (steps === null || techniques.length === 0) return [];
        return savedFigure(steps, `${settings.name}: ${candidate} with ${techniques.join(' and ')}`, claimed);
      }),
    );
}

/** A share of steps saved, with what an interval that decides would take. */
function savedFigure(steps: StepSaving | StoredSaving, of: string, claimed: number): Figure[] {
  const { estimate: value, low, high } = steps.saved;
  if (value === null) return [];
  const seeds = steps.with.length;
  const ends = seeds === 1 ? { low: null, high: null } : { low, high };
  return [{ of: `${of}, ${seeds === 1 ? 'one seed' : `${seeds} seeds`}`, value, ...ends, note: seedsNote(steps, claimed) }];
}

/** What is taken for the chance that an interval decides. */
const power = 0.8;

/** How many seeds it takes to decide whether `claimed` is met, if mean and spread stay as they are; empty where it is decided, or cannot be told. */
function seedsNote(steps: Pick<StepSaving, 'with' | 'without'>, claimed: number): string {
  const logs = steps.with.map((each, seed) => Math.log(each / steps.without[seed]!));
  if (logs.length < 2 || !logs.every(Number.isFinite)) return '';
  const { mean, standardDeviation, low, high } = meanInterval(logs, 0.025);
  const bound = Math.log(1 - claimed);
  if (low > bound || high <= bound) return '';
  const effect = Math.abs(mean - bound);
  const seeds = effect > 0 ? blocksNeeded({ standardDeviation, tail: 0.025, effect, power }) : Infinity;
  const enough = Number.isFinite(seeds) ? `${seeds} seeds` : 'more than 10 000 seeds';
  return `to decide in ${percent(power)} of repetitions, at this mean and spread: ${enough}`;
}

/** Accuracy of trained attention on a task of images, the mean over seeds; the most first. */
export function accuracyOnImages({ candidates, settings }: StoredTuningRecord): Figure[] {
  if (!/^digits\b/.test(settings.task)) return [];
  return largestFirst(
    candidates.flatMap(({ candidate, finalists }) =>
      overSeeds(finalists, `${settings.name}: ${candidate} on ${settings.task}`, ({ test }) => test.mean),
    ),
  );
}

/** BLEU of a testbed that translates, trained with another attention less the baseline's, the mean over seeds; the most first. */
export function bleuGainedByTraining({ baseline, candidates, settings }: StoredTuningRecord): Figure[] {
  return largestFirst(
    candidates.flatMap(({ candidate, finalists }): Figure[] => {
      const difference = translationDifference(baseline, finalists, 'bleu');
      if (difference === null) return [];
      const { mean, low, high, count } = difference;
      const ends = count === 1 ? { low: null, high: null } : { low, high };
      return [{ of: `${settings.name}: ${candidate}, ${count === 1 ? 'one seed' : `${count} seeds`}`, value: mean, ...ends }];
    }),
  );
}

/** The lowest share of right answers on the easiest items, and the most that the hardest may have less, of a model that has learned them. */
const learnedFrom = 0.9;
const learnedWithin = 0.05;

/** Why the speed of easy items decides nothing; undefined where it does. */
function notDeciding({ levels, quality }: Graded): string | undefined {
  const [easiest, hardest] = [levels[0]!.whole, levels.at(-1)!.whole];
  const learned = easiest !== null && hardest !== null && easiest >= learnedFrom && hardest >= easiest - learnedWithin;
  if (!learned) return 'the hardest items are not learned';
  return quality.outcome === 'pass' ? undefined : 'exits are not shown to keep the score of the hardest items';
}

/**
 * Hardest over easiest items of a model with early exits, by the time of the exported model; the fastest first, and last those that decide nothing,
 * without an interval.
 */
export function easySpeedUp(record: StoredTuningRecord): Figure[] {
  const { settings } = record;
  const figures = attentionsOf(record).flatMap(({ name, graded }): Figure[] => {
    const effect = graded?.easy?.effect;
    if (graded == null || graded.easy === null || effect == null) return [];
    const [easiest, hardest] = [graded.levels[0]!, graded.levels.at(-1)!];
    const of = `${settings.name}: ${name}, difficulty ${easiest.difficulty} against ${hardest.difficulty}`;
    const times = (change: number) => 1 / (1 + change);
    const problem = notDeciding(graded);
    const ends = problem === undefined ? { low: times(effect.high), high: times(effect.low) } : { low: null, high: null };
    const score = ({ whole }: typeof easiest) => (whole === null ? 'unknown' : percent(whole));
    const scores = `right through all layers: easiest ${score(easiest)}, hardest ${score(hardest)}`;
    const told = `${settings.model.layers} layers, ${timedText(graded.timed)}; ${scores}; ${baseToNew(graded.easy)}`;
    return [{ of, value: times(effect.estimate), ...ends, note: problem === undefined ? told : `${problem}; ${told}` }];
  });
  const decides = ({ low }: Figure) => low !== null;
  return [...largestFirst(figures.filter(decides)), ...largestFirst(figures.filter((figure) => !decides(figure)))];
}

/**
 * Layers of a model with early exits over those that a scored position needs until its answer, the mean over seeds; the most first. An upper bound of
 * the time saved, from which nothing is known below; none where exits are not shown to keep the score of graded items.
 */
export function layersSaved(record: StoredTuningRecord): Figure[] {
  const { settings } = record;
  const figures = attentionsOf(record)
    .filter(({ graded }) => graded === null || graded.quality.outcome === 'pass')
    .flatMap(({ name, finished }) =>
      overSeeds(finished, `${settings.name}: ${name}`, ({ test }) =>
        test.layers === undefined ? null : settings.model.layers / test.layers,
      ),
    );
  return largestFirst(figures).map((figure) => ({
    ...figure,
    low: figure.low === null ? null : 0,
    note: 'an upper bound of the time saved',
  }));
}

/** The baseline, and the candidates that keep its quality. */
function attentionsOf({ baseline, baselineGraded, candidates, settings }: StoredTuningRecord) {
  return [
    { name: settings.baseline, finished: baseline, graded: baselineGraded },
    ...candidates
      .filter(({ quality }) => quality.outcome === 'pass')
      .map(({ candidate, finalists, graded }) => ({ name: candidate, finished: finalists, graded })),
  ];
}

/** A figure of each training, one per seed: its mean with Student's interval. None where a training has none. */
function overSeeds(finished: readonly FinishedRecord[], of: string, read: (one: FinishedRecord) => number | null): Figure[] {
  const values = finished.flatMap((one) => read(one) ?? []);
  if (values.length < finished.length || values.length === 0) return [];
  const { mean, low, high } = meanInterval(values, 0.025);
  const ends = values.length === 1 ? { low: null, high: null } : { low, high };
  return [{ of: `${of}, ${values.length === 1 ? 'one seed' : `${values.length} seeds`}`, value: mean, ...ends }];
}
