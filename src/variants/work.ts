import { positionOffset } from '../contract/shape.ts';
import type { DType, Shape } from '../contract/shape.ts';
import type { Work } from '../contract/variant.ts';

/** Bytes of one element. */
export const dtypeBytes: Readonly<Record<DType, number>> = { f32: 4, f16: 2, bf16: 2 };

/** What one call costs beyond the inputs that every variant reads; totals over batch elements and heads. */
export interface CountedWork {
  readonly scoredPairs: number;
  readonly weightedPairs: number;
  /** Arithmetic of gates and means. */
  readonly extraFlops?: number;
  /** Elements read besides query, key and value. */
  readonly extraElements?: number;
}

/** Query–key pairs of one head that dense attention weighs: all, or the allowed ones when causal. */
export function densePairsPerHead(shape: Shape): number {
  const { queries, keys, causal } = shape;
  if (!causal) return queries * keys;
  const rows = Math.min(queries, keys);
  return rows * Math.max(0, positionOffset(shape)) + (rows * (rows + 1)) / 2;
}

/**
 * The record of one call. FLOPs: 2·headDim for each scored pair (q·k) and each weighted pair (p·v), and `extraFlops`;
 * exponentials, divisions and comparisons are not counted.
 */
export function workOf(shape: Shape, counted: CountedWork): Work {
  const { batch, heads, kvHeads, queries, keys, headDim } = shape;
  const { scoredPairs, weightedPairs } = counted;
  const elements = 2 * batch * headDim * (heads * queries + kvHeads * keys) + (counted.extraElements ?? 0);
  return {
    scoredPairs,
    weightedPairs,
    densePairs: batch * heads * densePairsPerHead(shape),
    flops: 2 * headDim * (scoredPairs + weightedPairs) + (counted.extraFlops ?? 0),
    bytes: elements * dtypeBytes[shape.dtype],
  };
}

/** Sums `countOf` over the queries of one head. */
export function sumOverQueries(shape: Shape, countOf: (query: number) => number): number {
  let sum = 0;
  for (let query = 0; query < shape.queries; query++) sum += countOf(query);
  return sum;
}

/** Why a variant that needs queries and keys on one axis is not defined for the shape, or undefined where it is. */
export function refusePositions(name: string, shape: Shape): string | undefined {
  if (shape.queries <= shape.keys) return undefined;
  return `${name}: ${shape.queries} queries and ${shape.keys} keys: positions can be aligned only if there are no more queries than keys`;
}
