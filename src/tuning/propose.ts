import type { Tuning } from '../contract/tuning.ts';
import { RandomStream } from '../inputs/random.ts';
import { settled, trialId } from './trial.ts';
import type { Trial } from './trial.ts';

/**
 * Trials of one attention: first the one with the first choice of everything, then others drawn from the space, all different; fewer than asked for
 * where the space has no more. Same seed, same trials.
 */
export function proposeTrials({ space, search }: Tuning, attention: string, seed: number): Trial[] {
  const first = <Value>(list: readonly Value[]): Value => list[0]!;
  const trials = new Map<string, Trial>();
  const add = (pick: <Value>(list: readonly Value[]) => Value) => {
    // Of a choice that a space does not have nothing is drawn: one that was searched before gives the same trials.
    const optional = (list?: ReadonlyArray<number | null>) => (list === undefined ? null : pick(list));
    const trial: Trial = settled({
      attention,
      position: pick(space.position),
      norm: pick(space.norm),
      normPlacement: pick(space.normPlacement),
      learningRate: pick(space.learningRate),
      techniques: pick(space.techniques),
      start: pick(space.start),
      exits: optional(space.exits),
      layerCost: optional(space.layerCost),
      seed,
    });
    trials.set(trialId(trial), trial);
  };
  add(first);
  const stream = new RandomStream(seed, `proposals/${attention}`);
  const size = Object.values(space).reduce((product, list) => product * (list?.length ?? 1), 1);
  const wanted = Math.min(search.trials, size);
  for (let draws = 0; trials.size < wanted && draws < 100 * wanted; draws++)
    add((list) => list[Math.floor(stream.uniform() * list.length)]!);
  return [...trials.values()];
}
