import type { JumpableRandomGenerator } from 'pure-rand/types/JumpableRandomGenerator';
import type { Bounds, Look } from '../../src/decide/sequential.ts';
import { defaultLooks, look } from '../../src/decide/sequential.ts';
import { visitsOf } from '../../src/measure/pair-block.ts';
import { blockEffect } from '../../src/statistics/block-effect.ts';
import type { RoundLogs } from '../../src/statistics/block-effect.ts';
import { ticksPerSecond } from './host.ts';
import type { SimulatedHost } from './host.ts';

/** `kept` of each letter; two letters an arm. */
const { dropped, kept } = visitsOf(1e9 / ticksPerSecond);
/** As of every sample that lasts less than 0.1 s. */
export const rounds = 2;
/** Samples of a block, dropped ones too: a round has three visits. */
export const ticksOfBlock = rounds * (3 * dropped + 4 * kept);

/**
 * Equal arms measured in blocks, as attnswap measures them: a fresh pair of processes a block, two rounds, each ABBA or BAAB at random, in
 * three visits. Blocks are simulated when they are asked for. A true slowdown adds its logarithm to every block, as the medians of both arms
 * and of every round move with their values (`blockEffect`).
 */
export class SimulatedComparison {
  readonly #effects: number[] = [];
  readonly #host: SimulatedHost;
  readonly #random: JumpableRandomGenerator;

  constructor(host: SimulatedHost, random: JumpableRandomGenerator) {
    this.#host = host;
    this.#random = random;
  }

  /** Blocks simulated so far. */
  get blocks(): number {
    return this.#effects.length;
  }

  /** Effects of the first `count` blocks: ln(B/A), 0 but for noise. */
  effects(count: number): readonly number[] {
    while (this.#effects.length < count) this.#effects.push(simulateBlock(this.#host, this.#random));
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

function simulateBlock(host: SimulatedHost, random: JumpableRandomGenerator): number {
  const processes = host.launch();
  const effect = host.launch() - processes;
  const samples = Array.from({ length: rounds }, () => simulateRound(host, random.next() < 0));
  return effect + blockEffect(samples);
}

function simulateRound(host: SimulatedHost, baseOutside: boolean): RoundLogs {
  const first = visit(host, kept);
  const inside = visit(host, 2 * kept);
  const outside = [...first, ...visit(host, kept)];
  return baseOutside ? { base: outside, new: inside } : { base: inside, new: outside };
}

function visit(host: SimulatedHost, count: number): number[] {
  host.drop(dropped);
  return Array.from({ length: count }, () => host.sample());
}
