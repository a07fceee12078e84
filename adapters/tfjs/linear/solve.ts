import type { Site, Tensor } from '../kernel.ts';
import { patternOf } from './decays.ts';
import type { Chunk } from './decays.ts';

/** β(I + βL)⁻¹x, for L `[size, count, count]` below the diagonal and x `[size, count, columns]`. */
export type Solver = (lower: Tensor, x: Tensor) => Tensor;

/**
 * Of chunks of these sizes. The elements of the inverse are at most 1, as writing never enlarges a state; the powers of L are not, so no
 * series is summed: the inverse D of the diagonal blocks of h rows gives that of 2h as D − D·M·D, where M holds what lies between two halves.
 */
export function solverOf(site: Site, chunks: readonly Chunk[], beta: number): Solver {
  const { tf } = site;
  const known = new Map([...new Set(chunks.map(({ count }) => count))].map((count) => [count, patternsOf(site, count)]));
  return (lower, x) => {
    const { diagonal, halves } = known.get(lower.shape[1]!)!;
    const inverse = halves.reduce((solved, half, level) => {
      const between = tf.mul(lower, tf.mul(half, beta));
      return tf.sub(solved, level === 0 ? between : tf.matMul(solved, tf.matMul(between, solved)));
    }, diagonal);
    return tf.matMul(inverse, tf.mul(x, beta));
  };
}

/** The diagonal, and what of a matrix lies between the halves of its diagonal blocks of 2, 4, 8, … rows. */
function patternsOf(site: Site, count: number): { readonly diagonal: Tensor; readonly halves: readonly Tensor[] } {
  const constant = (sees: (row: number, column: number) => boolean) => site.constant(patternOf([0, count], sees), [1, count, count]);
  const halves: Tensor[] = [];
  for (let half = 1; half < count; half *= 2)
    halves.push(constant((row, column) => row % (2 * half) >= half && Math.floor(row / half) === Math.floor(column / half) + 1));
  return { diagonal: constant((row, column) => row === column), halves };
}
