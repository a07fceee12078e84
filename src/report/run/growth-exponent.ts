import { fixed } from '../../text/figures.ts';
import { theilSen } from '../../statistics/theil-sen.ts';
import type { TheilSenLine } from '../../statistics/theil-sen.ts';

/** Fewer lengths have a slope, and nothing that says how far it can be believed. */
const leastLengths = 3;

/**
 * The power of the length that a figure grows with: Theil and Sen's slope between logarithms, with its interval (95 % from five lengths on, the
 * whole range of the pairwise slopes below that); undefined for fewer than three lengths.
 */
export function growthExponent(lengths: readonly number[], values: readonly number[]): TheilSenLine | undefined {
  if (new Set(lengths).size < leastLengths || values.some((value) => value <= 0)) return undefined;
  return theilSen(lengths.map(Math.log), values.map(Math.log));
}

/** `1.93 (1.88 to 1.97)`. */
export function growthText({ slope, low, high }: TheilSenLine): string {
  return `${fixed(slope, 2)} (${fixed(low, 2)} to ${fixed(high, 2)})`;
}
