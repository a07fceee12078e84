/**
 * The mean of what is left after dropping ⌊share·n⌋ values at each end. Estimates the centre of a symmetric distribution, unmoved by up
 * to that share of wild values on either side; of a skewed one it estimates neither mean nor median but something between. Log-ratios
 * of paired rounds are symmetric whenever both arms suffer alike, whatever the noise looks like.
 * @throws RangeError on no values, or a share outside [0, ½)
 */
export function trimmedMean(values: readonly number[], share = 0.2): number {
  if (values.length === 0) throw new RangeError('trimmedMean: needs at least one value');
  if (!(share >= 0 && share < 0.5)) throw new RangeError(`trimmedMean: share must lie in [0, 0.5), got ${share}`);
  const cut = Math.floor(share * values.length);
  const kept = values.toSorted((a, b) => a - b).slice(cut, values.length - cut);
  return kept.reduce((sum, value) => sum + value, 0) / kept.length;
}
