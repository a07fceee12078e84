import type { Parameters } from '../../../src/contract/variant.ts';
import { windowSpan } from '../../../src/variants/window/span.ts';
import type { Band } from '../bands.ts';
import type { HeadGroup } from '../head-groups.ts';
import type { Site, Tensor } from '../kernel.ts';
import { maskedScore } from '../selection.ts';

export interface Sizes {
  readonly local: number;
  readonly region: number;
}

export function sizesOf(parameters: Parameters): Sizes {
  return { local: Number(parameters['local']), region: Number(parameters['region']) };
}

/** The heads of one level: `[size, queries, headDim]`. */
export type Level = (group: HeadGroup) => Tensor;

/** Queries that local heads take at a time: at most 16, for wider bands score more keys in vain. */
export function localTile({ local }: Sizes): number {
  return Math.min(16, local);
}

export function localBand({ local }: Sizes, causal: boolean): Band {
  const { left, right } = windowSpan(local, causal);
  return { before: left, after: right };
}

/** 0 where `allowed`, else the masked score: `[rows, columns]`. */
export function patternBias(rows: number, columns: number, allowed: (row: number, column: number) => boolean): Float32Array {
  const bias = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) if (!allowed(row, column)) bias[row * columns + column] = maskedScore;
  }
  return bias;
}

/** Repeats for all heads of the group what they share. */
export function spreadOver({ tf }: Site, tensor: Tensor, group: number, matrices: number): Tensor {
  return tensor.shape[0] === matrices ? tensor : tf.tile(tensor, [group, 1, 1]);
}
