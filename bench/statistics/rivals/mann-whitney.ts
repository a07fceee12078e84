import { normalCdf } from '../../../src/statistics/normal.ts';
import { discordanceProbabilities } from '../../../src/statistics/theil-sen.ts';
import type { Recorded } from './rival.ts';

/** Mann and Whitney's U: pairs of a base and a candidate figure in which the candidate is the larger. No ties are expected. */
export function candidateLarger(base: Recorded, candidate: Recorded): number {
  let pairs = 0;
  for (const there of candidate) for (const here of base) if (there > here) pairs += 1;
  return pairs;
}

/** P(U ≤ u) for u = 0 … n² and two groups of n. */
export function exactDistribution(count: number): readonly number[] {
  let below = 0;
  return [...discordanceProbabilities([count, count])].map((probability) => (below += probability));
}

/** The two-sided p by the normal approximation with continuity correction. */
export function normalP(u: number, count: number): number {
  const deviation = Math.sqrt((count * count * (2 * count + 1)) / 12);
  return Math.min(1, 2 * normalCdf(-(Math.abs(u - (count * count) / 2) - 0.5) / deviation));
}
