import { theilSen } from '../../statistics/theil-sen.ts';

/** The power of the length that a figure grows with: Theil and Sen's slope between logarithms; undefined for fewer than two lengths. */
export function growthExponent(lengths: readonly number[], values: readonly number[]): number | undefined {
  if (new Set(lengths).size < 2 || values.some((value) => value <= 0)) return undefined;
  return theilSen(lengths.map(Math.log), values.map(Math.log)).slope;
}
