import { createHash } from 'node:crypto';
import type { JumpableRandomGenerator } from 'pure-rand/types/JumpableRandomGenerator';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import { Arena, bytesInArena } from '../lanes/lanes.ts';
import { quantileSorted } from './order-statistics.ts';

/** A range that holds the estimated figure with the confidence asked for. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Rows of a sample, each with a value in every column, grouped into strata that were sampled independently. */
export interface SampledRows {
  readonly columns: number;
  /** `[rows, columns]`, each value already times its row's weight. */
  readonly values: Float64Array;
  /** Rows of each stratum, in the order of `values`; they add up to the number of rows. */
  readonly strata: readonly number[];
}

/** Random 32-bit integers that depend on seed and name alone, on every platform; seeds in sequence are unrelated. */
export function seededGenerator(seed: number, name: string): JumpableRandomGenerator {
  const digest = createHash('sha256').update(`${seed}/${name}`).digest();
  return xoroshiro128plusFromState([0, 4, 8, 12].map((at) => digest.readInt32LE(at)));
}

/** A uniform integer in [0, `bound`), biased by less than bound/2³². */
export function drawBelow(generator: JumpableRandomGenerator, bound: number): number {
  return Math.floor(((generator.next() >>> 0) / 0x1_0000_0000) * bound);
}

/** Rows in an arena, of an even width, with what adds some of them up. */
class RowSums {
  readonly #arena: Arena;
  readonly #width: number;
  readonly #values: Float64Array;
  readonly #sums: Float64Array;
  readonly #list: Int32Array;
  #count = 0;
  #factor = 0;

  constructor({ columns, values }: SampledRows) {
    const rows = values.length / columns;
    this.#width = columns + (columns % 2);
    this.#arena = new Arena(bytesInArena(8 * rows * this.#width) + bytesInArena(8 * this.#width) + bytesInArena(4 * rows));
    this.#values = this.#arena.float64(rows * this.#width);
    this.#sums = this.#arena.float64(this.#width);
    this.#list = this.#arena.int32(rows);
    for (let row = 0; row < rows; row += 1) this.#values.set(values.subarray(row * columns, (row + 1) * columns), row * this.#width);
  }

  /** Begins at sums `[columns]`. */
  begin(sums: Float64Array): void {
    this.#sums.set(sums);
  }

  /** Adds `factor` times a row. Rows are added in their order, many at once. */
  add(row: number, factor: number): void {
    if (factor !== this.#factor || this.#count === this.#list.length) this.#flush();
    this.#factor = factor;
    this.#list[this.#count++] = row;
  }

  /** Writes the sums `[columns]`. */
  end(sums: Float64Array): void {
    this.#flush();
    sums.set(this.#sums.subarray(0, sums.length));
  }

  #flush(): void {
    const { lanes } = this.#arena;
    lanes.addRows(this.#sums.byteOffset, this.#values.byteOffset, this.#width, this.#list.byteOffset, this.#count, this.#factor);
    this.#count = 0;
  }
}

/**
 * Column sums of `replicates` bootstrap samples, `[replicates, columns]`, added to `sums`. A stratum of m rows gives m − 1
 * draws with replacement, each counting m/(m − 1) times, so that the spread of a sum over strata of two is not halved
 * (Rao and Wu, JASA 83, 1988, with n_h − 1 draws). No correction for a finite population is made: the rows stand
 * for others like them. The row of a stratum of one counts 0 or 2 times with equal chance: its own deviation from
 * the whole sample's ratio then takes the place of a spread that it cannot show.
 */
export function addReplicateSums(sums: Float64Array, rows: SampledRows, generator: JumpableRandomGenerator): void {
  const total = new RowSums(rows);
  for (let target = 0; target < sums.length; target += rows.columns) {
    const replicate = sums.subarray(target, target + rows.columns);
    total.begin(replicate);
    let first = 0;
    for (const size of rows.strata) {
      if (size === 1) total.add(first, generator.next() < 0 ? 0 : 2);
      const factor = size / (size - 1);
      for (let draw = 1; draw < size; draw += 1) total.add(first + drawBelow(generator, size), factor);
      first += size;
    }
    total.end(replicate);
  }
}

/**
 * The 95 % percentile interval of a ratio of two column sums over bootstrap replicates; null where fewer than half of them
 * have a positive denominator. Sums are resampled, and the ratio taken of each resample: never a mean of rows' ratios.
 * From few rows it covers a little less than it claims: about .93 with 40 strata of two.
 */
export function ratioInterval(
  replicateSums: Float64Array,
  ratio: { readonly columns: number; readonly numerator: number; readonly denominator: number },
): Interval | null {
  const found = new Float64Array(replicateSums.length / ratio.columns);
  let count = 0;
  for (let start = 0; start < replicateSums.length; start += ratio.columns) {
    const denominator = replicateSums[start + ratio.denominator]!;
    if (denominator > 0) found[count++] = replicateSums[start + ratio.numerator]! / denominator;
  }
  if (count === 0 || 2 * count < found.length) return null;
  const ratios = found.subarray(0, count).sort();
  return { low: quantileSorted(ratios, 0.025), high: quantileSorted(ratios, 0.975) };
}
