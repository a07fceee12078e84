import type { JumpableRandomGenerator } from 'pure-rand/types/JumpableRandomGenerator';
import type { Bounds, Look } from '../../src/decide/sequential.ts';
import { defaultLooks, look } from '../../src/decide/sequential.ts';
import { drawBelow } from '../../src/statistics/resample.ts';
import { trimmedMean } from '../../src/statistics/trimmed-mean.ts';
import type { SimulatedHost } from './host.ts';

const droppedAfterSwitch = 2;
/** Of each letter; two letters an arm. */
const kept = 4;

/**
 * Equal arms measured in blocks, as attnswap measures them: a fresh pair of processes a block, 2 to 4 rounds (the same number in all
 * blocks of a comparison), each ABBA or BAAB at random, in three visits. Blocks are simulated when they are asked for. A true slowdown
 * adds its logarithm to every block, as medians and trimmed means move with their values.
 */
export class SimulatedComparison {
  readonly #effects: number[] = [];
  readonly #host: SimulatedHost;
  readonly #random: JumpableRandomGenerator;
  readonly rounds: number;

  constructor(host: SimulatedHost, random: JumpableRandomGenerator, rounds = 2 + drawBelow(random, 3)) {
    this.#host = host;
    this.#random = random;
    this.rounds = rounds;
  }

  /** Blocks simulated so far. */
  get blocks(): number {
    return this.#effects.length;
  }

  /** Effects of the first `count` blocks: ln(B/A), 0 but for noise. */
  effects(count: number): readonly number[] {
    while (this.#effects.length < count) this.#effects.push(simulateBlock(this.#host, this.rounds, this.#random));
    return this.#effects.slice(0, count);
  }

  /** What the rule says of B truly slower by the factor e^`effect`, and after how many blocks. */
  verdict(bounds: Bounds, effect: number): Look {
    for (const blocks of defaultLooks.looks) {
      const judged = look(
        this.effects(blocks).map((noise) => noise + effect),
        bounds,
      );
      if (judged.state !== 'more') return judged;
    }
    throw new Error('the last look gave no verdict');
  }
}

function simulateBlock(host: SimulatedHost, rounds: number, random: JumpableRandomGenerator): number {
  const processes = host.launch();
  const effect = host.launch() - processes;
  const samples = [new Float64Array(2 * kept), new Float64Array(2 * kept)] as const;
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const outer = random.next() < 0 ? 0 : 1;
    const inner = outer === 0 ? 1 : 0;
    host.drop(droppedAfterSwitch);
    take(host, samples[outer], 0);
    host.drop(droppedAfterSwitch);
    take(host, samples[inner], 0);
    take(host, samples[inner], kept);
    host.drop(droppedAfterSwitch);
    take(host, samples[outer], kept);
    ratios.push(effect + logMedian(samples[1]) - logMedian(samples[0]));
  }
  return trimmedMean(ratios);
}

function take(host: SimulatedHost, samples: Float64Array, from: number): void {
  for (let index = from; index < from + kept; index++) samples[index] = host.sample();
}

/** ln of the median of an even number of durations, given their logarithms: of the mean of the two in the middle. */
function logMedian(logs: Float64Array): number {
  const [low, high] = logs.toSorted().subarray(kept - 1, kept + 1) as unknown as readonly [number, number];
  return (low + high) / 2 + Math.log(Math.cosh((high - low) / 2));
}
