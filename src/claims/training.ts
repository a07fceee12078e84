import { meanInterval } from '../statistics/student.ts';
import type { FinishedRecord, StoredTuningRecord } from '../tuning/record.ts';
import { largestFirst } from './evidence.ts';
import type { Figure } from './evidence.ts';

/** Training steps that a technique saves on the way to the same validation score; the most first. */
export function stepsSaved({ candidates, settings }: StoredTuningRecord): Figure[] {
  return largestFirst(
    candidates.flatMap(({ candidate, ablations }) =>
      ablations.flatMap(({ without, steps }): Figure[] => {
        const technique = /^(sparsify|distil|heads) left out$/.exec(without)?.[1];
        if (technique === undefined || steps === null || steps.saved.estimate === null) return [];
        const { estimate, low, high } = steps.saved;
        return [{ of: `${settings.name}: ${technique} for ${candidate}, ${steps.with.length} seeds`, value: estimate, low, high }];
      }),
    ),
  );
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

/** Layers of a model with early exits over those that a scored position needs until its answer, the mean over seeds; the most first. */
export function layersSaved({ baseline, candidates, settings }: StoredTuningRecord): Figure[] {
  const attentions = [
    { name: settings.baseline, finished: baseline },
    ...candidates
      .filter(({ quality }) => quality.outcome === 'pass')
      .map(({ candidate, finalists }) => ({ name: candidate, finished: finalists })),
  ];
  return largestFirst(
    attentions.flatMap(({ name, finished }) =>
      overSeeds(finished, `${settings.name}: ${name}`, ({ test }) =>
        test.layers === undefined ? null : settings.model.layers / test.layers,
      ),
    ),
  );
}

/** A figure of each training, one per seed: its mean with Student's interval. None where a training has none. */
function overSeeds(finished: readonly FinishedRecord[], of: string, read: (one: FinishedRecord) => number | null): Figure[] {
  const values = finished.flatMap((one) => read(one) ?? []);
  if (values.length < finished.length || values.length === 0) return [];
  const { mean, low, high } = meanInterval(values, 0.025);
  const ends = values.length === 1 ? { low: null, high: null } : { low, high };
  return [{ of: `${of}, ${values.length === 1 ? 'one seed' : `${values.length} seeds`}`, value: mean, ...ends }];
}
