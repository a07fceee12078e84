import { createHash } from 'node:crypto';
import type { JumpableRandomGenerator } from 'pure-rand/types/JumpableRandomGenerator';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
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

/** Adds `factor` times one row of `rows` to the replicate that starts at `target` in `sums`. */
function addRow(sums: Float64Array, target: number, { columns, values }: SampledRows, row: number, factor: number): void {
  const start = row * columns;
  for (let column = 0; column < columns; column += 1) {
    sums[target + column] = sums[target + column]! + factor * values[start + column]!;
  }
}

/** The same of four rows, one after another, while reading and writing the sums once. */
function addFour(sums: Float64Array, target: number, { columns, values }: SampledRows, rows: Int32Array, factor: number): void {
  const [a, b, c, d] = [rows[0]! * columns, rows[1]! * columns, rows[2]! * columns, rows[3]! * columns];
  for (let column = 0; column < columns; column += 1) {
    sums[target + column] =
      sums[target + column]! +
      factor * values[a + column]! +
      factor * values[b + column]! +
      factor * values[c + column]! +
      factor * values[d + column]!;
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
  const replicates = sums.length / rows.columns;
  const four = new Int32Array(4);
  for (let replicate = 0; replicate < replicates; replicate += 1) {
    const target = replicate * rows.columns;
    let first = 0;
    for (const size of rows.strata) {
      if (size === 1) {
        addRow(sums, target, rows, first, generator.next() < 0 ? 0 : 2);
      }
      const factor = size / (size - 1);
      let draw = 1;
      for (; draw + 4 <= size; draw += 4) {
        for (let index = 0; index < 4; index += 1) four[index] = first + drawBelow(generator, size);
        addFour(sums, target, rows, four, factor);
      }
      for (; draw < size; draw += 1) addRow(sums, target, rows, first + drawBelow(generator, size), factor);
      first += size;
    }
  }
}

/**
 * The percentile interval of a ratio of two column sums over bootstrap replicates; null where fewer than half of them
 * have a positive denominator. Sums are resampled, and the ratio taken of each resample: never a mean of rows' ratios.
 * From few rows it covers a little less than it claims: about .93 with 40 strata of two.
 */
export function ratioInterval(
  replicateSums: Float64Array,
  ratio: { readonly columns: number; readonly numerator: number; readonly denominator: number },
  confidence = 0.95,
): Interval | null {
  const found = new Float64Array(replicateSums.length / ratio.columns);
  let count = 0;
  for (let start = 0; start < replicateSums.length; start += ratio.columns) {
    const denominator = replicateSums[start + ratio.denominator]!;
    if (denominator > 0) found[count++] = replicateSums[start + ratio.numerator]! / denominator;
  }
  if (count === 0 || 2 * count < found.length) return null;
  const ratios = found.subarray(0, count).sort();
  const tail = (1 - confidence) / 2;
  return { low: quantileSorted(ratios, tail), high: quantileSorted(ratios, 1 - tail) };
}
