import { normalCdf } from '../statistics/normal.ts';
import type { Weights } from './check-weights.ts';
import type { Testbed } from './testbed.ts';

/** Added to the variance, or to the mean square. */
export const normEpsilon = 1e-5;

/** x·W in float64: `x` `[rows, from]`, `matrix` `[from, to]`; the result is `[rows, to]`. */
export function multiply(x: Float64Array, matrix: Float32Array, { from, to }: { from: number; to: number }): Float64Array {
  const rows = x.length / from;
  const result = new Float64Array(rows * to);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < from; i++) {
      const factor = x[row * from + i]!;
      for (let j = 0; j < to; j++) result[row * to + j]! += factor * matrix[i * to + j]!;
    }
  return result;
}

/** x + y, elementwise. */
export function add(x: Float64Array, y: Float64Array): Float64Array {
  return x.map((value, at) => value + y[at]!);
}

/**
 * The norm `name` of each row of `x` `[rows, width]`. LayerNorm (Ba et al. 2016): (x − mean)/√(variance + ε)·weight + bias, the variance over
 * width, not width − 1. RMSNorm (Zhang and Sennrich 2019): x/√(mean x² + ε)·weight.
 */
export function normalise(x: Float64Array, { width, norm }: Testbed, weights: Weights, name: string): Float64Array {
  const weight = weights.get(`${name}.weight`)!;
  const bias = weights.get(`${name}.bias`);
  const result = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += width) {
    const row = x.subarray(start, start + width);
    const mean = norm === 'layer' ? row.reduce((sum, value) => sum + value, 0) / width : 0;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    const factor = 1 / Math.sqrt(variance + normEpsilon);
    for (let i = 0; i < width; i++) result[start + i] = (row[i]! - mean) * factor * weight[i]! + (bias?.[i] ?? 0);
  }
  return result;
}

/** gelu(x) = x·Φ(x) (Hendrycks and Gimpel 2016), exact: not its tanh approximation. */
export function gelu(x: Float64Array): Float64Array {
  return x.map((value) => value * normalCdf(value));
}
