/** Density of the standard normal. */
function density(z: number): number {
  return Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
}

/** P(Z > z) for z ≥ 3, by Laplace's continued fraction z + 1/(z + 2/(z + 3/(z + …))): relative error below 1e-13. */
function upperTail(z: number): number {
  let fraction = z;
  for (let term = 120; term >= 1; term -= 1) fraction = z + term / fraction;
  return density(z) / fraction;
}

/**
 * Φ(z) = P(Z ≤ z) of the standard normal, to 1e-15 near the centre and to a relative 1e-13 in both tails: Marsaglia's
 * series ½ + φ(z)·(z + z³/3 + z⁵/15 + …) (Journal of Statistical Software 11(4), 2004) within three standard deviations,
 * a continued fraction beyond.
 */
export function normalCdf(z: number): number {
  if (z >= 3) return 1 - upperTail(z);
  if (z <= -3) return upperTail(-z);
  let term = z;
  let sum = z;
  for (let odd = 3; Math.abs(term) > 1e-17; odd += 2) {
    term *= (z * z) / odd;
    sum += term;
  }
  return 0.5 + density(z) * sum;
}

/**
 * Φ⁻¹(p): the z with P(Z ≤ z) = p, to 1e-14; −∞ and ∞ at p = 0 and 1. Starts from Abramowitz and Stegun's 26.2.23 (4.5e-4),
 * which three of Halley's steps then take past the last digit.
 * @throws RangeError on p outside [0, 1]
 */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`normalQuantile: p must lie in [0, 1], got ${p}`);
  if (p === 0 || p === 1) return p === 0 ? -Infinity : Infinity;
  if (p > 0.5) return -normalQuantile(1 - p);
  const t = Math.sqrt(-2 * Math.log(p));
  let z = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
  for (let step = 0; step < 3; step += 1) {
    const newton = (normalCdf(z) - p) / density(z);
    z -= newton / (1 + 0.5 * z * newton);
  }
  return z;
}
