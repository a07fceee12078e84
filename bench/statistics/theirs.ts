import { seededGenerator } from '../../src/statistics/resample.ts';
import type { NoiseLevel } from './host.ts';
import { SimulatedHost } from './host.ts';
import type { Rival } from './rivals/rival.ts';
import { Figures, Share } from './tally.ts';

/** True slowdowns that are looked for; 0 is the A/A comparison. */
export const slowdowns = [0, 0.05, 0.1] as const;

export interface RivalTally {
  readonly rival: Rival;
  /** How often it says «slower», one share for each of {@link slowdowns}. */
  readonly slower: readonly Share[];
  /** Samples of both arms. */
  readonly samples: Figures;
}

/** Judges simulated comparisons at one noise level with a rival's rule: base first, then candidate. */
export function simulateRival(rival: Rival, level: NoiseLevel, options: { readonly runs: number; readonly seed: number }): RivalTally {
  const tally = { rival, slower: slowdowns.map(() => new Share()), samples: new Figures() };
  for (let run = 0; run < options.runs; run += 1) {
    // The machines that ours is judged on: the first numbers of the same generator.
    const host = new SimulatedHost(level, seededGenerator(options.seed, `${level.name}/${run}`));
    const base = rival.record(host);
    const equal = rival.record(host);
    tally.samples.add(host.samples);
    for (const [index, slowdown] of slowdowns.entries()) {
      const candidate = equal.map((duration) => duration * (1 + slowdown));
      tally.slower[index]!.add(rival.slower(base, candidate));
    }
  }
  return tally;
}
