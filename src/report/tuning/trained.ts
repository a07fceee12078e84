import type { FinishedRecord, StoredTuningRecord } from '../../tuning/record.ts';

/** A trial that was trained to its end, with what it was for. */
export interface Trained {
  readonly role: 'baseline' | 'tuned' | 'control' | 'ablation';
  /** Of every layer, as a user writes it. */
  readonly attention: string;
  /** Pairs that enter a softmax, as a share of dense attention's; undefined for the baseline. */
  readonly weightedShare: number | undefined;
  /** Of an ablation, the choice that was put back. */
  readonly without?: string;
  readonly finished: FinishedRecord;
}

/** All trials that were trained to their end: the baseline's, then each candidate's finalists, control and ablations. */
export function trained({ settings, baseline, candidates }: StoredTuningRecord): Trained[] {
  const base = baseline.map((finished): Trained => ({
    role: 'baseline',
    attention: settings.baseline,
    weightedShare: undefined,
    finished,
  }));
  const others = candidates.flatMap(({ candidate, finalists, control, ablations, weightedShare }): Trained[] => {
    const of = { attention: candidate, weightedShare };
    return [
      ...finalists.map((finished) => ({ ...of, role: 'tuned' as const, finished })),
      ...(control === null ? [] : [{ ...of, role: 'control' as const, finished: control }]),
      ...ablations.flatMap(({ without, trials }) => trials.map((finished) => ({ ...of, role: 'ablation' as const, without, finished }))),
    ];
  });
  return [...base, ...others];
}

/** Whether training ended because a loss was not finite. */
export function diverged({ epochs, test }: FinishedRecord): boolean {
  return test.mean === null || epochs.at(-1)?.diverged === true;
}
