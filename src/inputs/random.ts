import type { JumpableRandomGenerator } from 'pure-rand/types/JumpableRandomGenerator';
import { seededGenerator } from '../statistics/resample.ts';
import { ln } from './portable-math.ts';

/**
 * A stream of random numbers. Same seed and name, same bytes on every platform: the generator (xoroshiro128+) works on
 * 32-bit integers, its state is a SHA-256 of seed and name, and what follows uses only + − × ÷ and Math.sqrt, which
 * ECMAScript fixes to the last bit. Streams of different names are independent, so one more tensor changes no other.
 */
export class RandomStream {
  readonly #generator: JumpableRandomGenerator;
  #spare: number | undefined;

  constructor(seed: number, name: string) {
    this.#generator = seededGenerator(seed, name);
  }

  /** Uniform on [0, 1), a multiple of 2⁻³². */
  uniform(): number {
    return (this.#generator.next() >>> 0) / 0x1_0000_0000;
  }

  /** Standard normal, by Marsaglia and Bray's polar method (SIAM Review 6, 1964). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    for (;;) {
      const x = this.#generator.next() / 0x8000_0000;
      const y = this.#generator.next() / 0x8000_0000;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * ln(square)) / square);
      this.#spare = y * factor;
      return x * factor;
    }
  }

  /** Fills `target` with normal numbers of standard deviation `deviation`, and returns it. */
  fillNormal<T extends Float32Array | Float64Array>(target: T, deviation = 1): T {
    for (let index = 0; index < target.length; index += 1) target[index] = deviation * this.normal();
    return target;
  }
}
