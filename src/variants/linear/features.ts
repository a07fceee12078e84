import type { FeatureMap, LinearSettings } from './parameters.ts';

/** A mapped vector shorter than this is taken as 0 when lengths are divided by. */
export const leastLength = 1e-12;

const maps: Readonly<Record<FeatureMap, (x: number) => number>> = {
  elu: (x) => (x > 0 ? x + 1 : Math.exp(x)),
  relu: (x) => Math.max(x, 0),
  identity: (x) => x,
};

/** φ of vectors `[count, headDim]`, in float64. */
export function features(vectors: Float32Array, headDim: number, { map, unitLength }: LinearSettings): Float64Array {
  const mapped = Float64Array.from(vectors, maps[map]);
  if (!unitLength) return mapped;
  for (let from = 0; from < mapped.length; from += headDim) {
    const vector = mapped.subarray(from, from + headDim);
    const length = Math.max(Math.hypot(...vector), leastLength);
    for (let m = 0; m < headDim; m++) vector[m]! /= length;
  }
  return mapped;
}
