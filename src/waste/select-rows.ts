import type { Shape } from '../contract/shape.ts';
import { drawBelow, seededGenerator } from '../statistics/resample.ts';
import type { JumpableRandomGenerator } from 'pure-rand/types/JumpableRandomGenerator';

/** Every (head, query) row, or `count` of them drawn from `seed`. */
export type RowSelection = 'all' | { readonly count: number; readonly seed: number };

/** The rows measured of one head of one batch element. */
export interface HeadSample {
  /** Query indices, ascending by stratum. */
  readonly queries: Int32Array;
  /** How many of the head's rows each one stands for; they add up to the number of queries. */
  readonly weights: Float64Array;
  /** Rows measured in each run of neighbouring positions. */
  readonly strata: readonly number[];
}

/** Strata by position where all rows of a head are measured: few enough that each holds many rows of a long input. */
const strataOfAllRows = 64;

/** The share of `total` that falls to part `index` of `parts`, as even as integers allow. */
function evenShare(total: number, index: number, parts: number): number {
  return Math.floor(((index + 1) * total) / parts) - Math.floor((index * total) / parts);
}

/** `count` different integers of [0, size), ascending (Floyd's algorithm, Communications of the ACM 30(9), 1987). */
function drawDistinct(generator: JumpableRandomGenerator, size: number, count: number): number[] {
  const drawn = new Set<number>();
  for (let top = size - count; top < size; top += 1) {
    const candidate = drawBelow(generator, top + 1);
    drawn.add(drawn.has(candidate) ? top : candidate);
  }
  return [...drawn].sort((a, b) => a - b);
}

function allRows(queries: number): HeadSample {
  const parts = Math.max(1, Math.min(strataOfAllRows, Math.floor(queries / 2)));
  return {
    queries: Int32Array.from({ length: queries }, (_, query) => query),
    weights: new Float64Array(queries).fill(1),
    strata: Array.from({ length: parts }, (_, part) => evenShare(queries, part, parts)),
  };
}

/** Cuts the queries into runs of equal length and draws two of each: two show the spread within a run, and no more runs fit. */
function sampleRows(queries: number, count: number, generator: JumpableRandomGenerator): HeadSample {
  const parts = Math.max(1, Math.floor(count / 2));
  const sample = { queries: new Int32Array(count), weights: new Float64Array(count), strata: [] as number[] };
  let filled = 0;
  for (let part = 0; part < parts; part += 1) {
    const start = Math.floor((part * queries) / parts);
    const size = evenShare(queries, part, parts);
    const drawn = drawDistinct(generator, size, evenShare(count, part, parts));
    for (const query of drawn) {
      sample.queries[filled] = start + query;
      sample.weights[filled] = size / drawn.length;
      filled += 1;
    }
    sample.strata.push(drawn.length);
  }
  return sample;
}

/**
 * The rows to measure of one (batch, head), stratified by head and position, the same on every machine. Sampled counts
 * are dealt evenly over batch elements and heads; each gives at least two rows (or all of them), even where that is more than `count`.
 */
export function selectRows(shape: Shape, selection: RowSelection, at: { batch: number; head: number }): HeadSample {
  const heads = shape.batch * shape.heads;
  if (selection === 'all' || selection.count >= heads * shape.queries) return allRows(shape.queries);
  const share = evenShare(selection.count, at.batch * shape.heads + at.head, heads);
  const count = Math.min(shape.queries, Math.max(2, share));
  return sampleRows(shape.queries, count, seededGenerator(selection.seed, `waste/rows/${at.batch}/${at.head}`));
}
