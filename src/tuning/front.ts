import type { Comparison } from '../contract/verdict.ts';
import { paretoFront } from '../migration/pareto.ts';

interface Trained {
  readonly candidate: string;
  /** Test scores, one a seed. */
  readonly finalists: ReadonlyArray<{ readonly test: { readonly mean: number } }>;
}

type Found = Pick<Comparison, 'effect' | 'outcome'>;

/** A candidate beside the baseline. */
interface Compared extends Trained {
  readonly latency: Found;
  readonly memory: Found;
  /** Pairs that enter a softmax, as a share of dense attention's. */
  readonly weightedShare: number;
}

/**
 * Those that no other one beats in mean test score, latency, memory and pairs together, the best score first. A change of latency or memory that is
 * not shown is none: else noise would decide who is on the front, and the next run would find another.
 */
export function frontOf(baseline: Trained, candidates: readonly Compared[]): string[] {
  const all = [
    { name: baseline.candidate, figures: { score: meanScore(baseline.finalists), latency: 1, memory: 1, pairs: 1 } },
    ...candidates.map(({ candidate, finalists, latency, memory, weightedShare }) => ({
      name: candidate,
      figures: { score: meanScore(finalists), latency: shownRatio(latency), memory: shownRatio(memory), pairs: weightedShare },
    })),
  ];
  const lower = (['latency', 'memory', 'pairs'] as const).map((name) => ({ name, goal: 'minimise' as const }));
  return paretoFront(all, [{ name: 'score', goal: 'maximise' }, ...lower]).front.map(({ name }) => name);
}

function meanScore(trials: Trained['finalists']): number {
  return trials.reduce((sum, { test }) => sum + test.mean, 0) / trials.length;
}

/** To the baseline; NaN where nothing was measured, or on a busy host only. */
function shownRatio({ effect, outcome }: Found): number {
  if (effect === null) return Number.NaN;
  return outcome === 'improvement' || outcome === 'regression' ? 1 + effect.estimate : 1;
}
