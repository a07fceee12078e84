import type { Tuning } from '../contract/tuning.ts';
import { differenceOf } from './difference.ts';
import type { SeedDifference } from './difference.ts';
import { finishTrial } from './finish-trial.ts';
import type { FinishedTrial } from './finish-trial.ts';
import { settled, trialId } from './trial.ts';
import type { Reference, Trial } from './trial.ts';
import { stepSaving } from './steps-to-quality.ts';
import type { StepSaving } from './steps-to-quality.ts';
import type { TuningWork } from './work.ts';

/** What one of a winner's choices is worth: the winner against itself with that choice put back. */
export interface Ablation {
  /** In words: `sparsify left out`, `position rotary instead of alibi`. */
  readonly without: string;
  readonly trials: readonly FinishedTrial[];
  /** Winner minus ablated: what the choice gained. */
  readonly gained: SeedDifference;
  /** Steps that the choice saved on the way to the same validation score. */
  readonly steps: StepSaving | null;
}

/** Trains the winner from every seed with each choice of its own put back to the space's first, one at a time. */
export async function ablate(work: TuningWork, finalists: readonly FinishedTrial[], references: readonly Reference[]): Promise<Ablation[]> {
  const ablations: Ablation[] = [];
  for (const { without, change } of changesOf(finalists[0]!.trial, work.tuning)) {
    const trials: FinishedTrial[] = [];
    for (const [index, { trial }] of finalists.entries())
      trials.push(await finishTrial(work, settled({ ...trial, ...change }), references[index]));
    const steps = stepSaving(curvesOf(finalists), curvesOf(trials));
    ablations.push({ without, trials, gained: differenceOf(trials, finalists), steps });
  }
  return ablations;
}

function curvesOf(trials: readonly FinishedTrial[]) {
  return trials.map(({ epochs }) => epochs);
}

interface Change {
  readonly without: string;
  readonly change: Partial<Trial>;
}

/** Techniques are left out one by one; other choices go back to the first of the space, where that makes another trial. */
export function changesOf(winner: Trial, { space }: Tuning): Change[] {
  const techniques = winner.techniques.map((left): Change => ({
    without: `${left} left out`,
    change: { techniques: winner.techniques.filter((each) => each !== left) },
  }));
  const others = (['position', 'norm', 'normPlacement', 'learningRate', 'start', 'exits', 'layerCost'] as const).map((name): Change => {
    const first = space[name]?.[0] ?? null;
    // Exits come with what decides them.
    const cost = name === 'exits' && winner.exits === null ? (space.layerCost?.[0] ?? null) : null;
    const decided = cost === null ? '' : ` with layerCost ${cost}`;
    return {
      without: `${name} ${first ?? 'none'}${decided} instead of ${winner[name] ?? 'none'}`,
      change: { [name]: first, ...(cost !== null && { layerCost: cost }) },
    };
  });
  const isAnother = ({ change }: Change) => trialId(settled({ ...winner, ...change })) !== trialId(winner);
  return [...techniques, ...others].filter(isAnother);
}
