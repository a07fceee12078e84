import type { FinishedRecord, StoredTuningRecord } from '../tuning/record.ts';
import { trained } from './tuning/trained.ts';
import { csv } from './csv.ts';

type Trial = FinishedRecord['trial'];

/**
 * One row a trial: those of the search with their score at each rung, then those that were trained to the end and tested. Columns are only ever added
 * at the end. Scores as the record has them, higher is better: shares, or minus the bits; `layers` up to an answer, where a trial has exits. Times in nanoseconds.
 */
export function trialsCsv(record: StoredTuningRecord): string {
  const searched = record.candidates.flatMap(({ candidate, search, weightedShare }) =>
    search.trials.map(({ trial, scores, layers }) => ({
      ...choices('search', candidate, trial),
      weightedShare,
      epochs: search.rungs[scores.length - 1],
      validationScore: scores.at(-1),
      testScore: undefined,
      trainingNs: undefined,
      rungScores: scores.map((score) => score ?? '').join(' '),
      without: undefined,
      exits: trial.exits ?? undefined,
      layers: layers?.at(-1) ?? undefined,
      layerCost: trial.layerCost ?? undefined,
      rungLayers: layers?.map((layer) => layer ?? '').join(' '),
    })),
  );
  const finished = trained(record).map(({ role, attention, weightedShare, without, finished: { trial, epochs, test } }) => ({
    ...choices(role, attention, trial),
    weightedShare,
    epochs: epochs.length,
    validationScore: epochs.at(-1)?.validation,
    testScore: test.mean,
    trainingNs: epochs.reduce((sum, { elapsedNs }) => sum + elapsedNs, 0),
    rungScores: undefined,
    without,
    exits: trial.exits ?? undefined,
    layers: test.layers,
    layerCost: trial.layerCost ?? undefined,
    rungLayers: undefined,
  }));
  return csv([...searched, ...finished]);
}

function choices(role: string, attention: string, trial: Trial) {
  const { position, norm, normPlacement, learningRate, techniques, start, seed, shuffled } = trial;
  return {
    role,
    attention,
    seed,
    position,
    norm,
    normPlacement,
    learningRate,
    techniques: techniques.join('+'),
    start,
    shuffled: String(shuffled === true),
  };
}
