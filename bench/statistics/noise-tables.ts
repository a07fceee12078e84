import { normalQuantile } from '../../src/statistics/normal.ts';

/** Quantiles at (i + ½)/65536, scaled to mean 0 and variance 1: a draw is a look-up by 16 random bits. */
export const tableSize = 0x1_0000;

/** The standard normal. */
export const normalTable = unitVariance(normalQuantile);

/** Student's t with three degrees of freedom: one draw in 65536 lies 31 standard deviations up, one as far down. */
export const heavyTable = unitVariance(studentThree);

/** Student's quantile for three degrees of freedom: √3·tan θ where θ + sin θ·cos θ = π(p − ½). */
function studentThree(p: number): number {
  let low = -Math.PI / 2;
  let high = Math.PI / 2;
  for (let halving = 0; halving < 60; halving += 1) {
    const theta = (low + high) / 2;
    if (theta + Math.sin(theta) * Math.cos(theta) < Math.PI * (p - 0.5)) low = theta;
    else high = theta;
  }
  return Math.sqrt(3) * Math.tan((low + high) / 2);
}

function unitVariance(quantile: (p: number) => number): Float64Array {
  const table = Float64Array.from({ length: tableSize }, (_, index) => quantile((index + 0.5) / tableSize));
  const deviation = Math.sqrt(table.reduce((sum, value) => sum + value ** 2, 0) / tableSize);
  return table.map((value) => value / deviation);
}
