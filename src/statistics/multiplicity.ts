/**
 * Holm's step-down adjusted p-values, in the order given: adjusted₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1)·p₍ⱼ₎). Rejecting where
 * the adjusted value is at most α keeps the chance of any false rejection at most α, however the tests depend on one another (Holm,
 * Scandinavian Journal of Statistics 6, 1979). Never less powerful than Bonferroni. It lies where tests were left out of the list:
 * give it every cell and metric that was looked at, the dull ones too.
 * @throws RangeError on a p outside [0, 1], NaN among them
 */
export function holm(pValues: readonly number[]): number[] {
  const adjusted = new Array<number>(pValues.length);
  let highest = 0;
  for (const [rank, { p, index }] of ascending(pValues).entries()) {
    highest = Math.max(highest, Math.min(1, (pValues.length - rank) * p));
    adjusted[index] = highest;
  }
  return adjusted;
}

/**
 * Benjamini and Hochberg's step-up adjusted p-values, in the order given: adjusted₍ᵢ₎ = min over j ≥ i of min(1, m·p₍ⱼ₎/j). Rejecting
 * where the adjusted value is at most q keeps the expected share of false ones among the rejections at most q, for independent or positively
 * dependent tests (JRSS B 57, 1995; Benjamini and Yekutieli 2001). It promises nothing of any single rejection: for tables that
 * are explored, never for a gate.
 * @throws RangeError on a p outside [0, 1], NaN among them
 */
export function benjaminiHochberg(pValues: readonly number[]): number[] {
  const adjusted = new Array<number>(pValues.length);
  let lowest = 1;
  for (const [fromLast, { p, index }] of ascending(pValues).toReversed().entries()) {
    const rank = pValues.length - fromLast;
    lowest = Math.min(lowest, (pValues.length * p) / rank);
    adjusted[index] = lowest;
  }
  return adjusted;
}

function ascending(pValues: readonly number[]): { p: number; index: number }[] {
  for (const [index, p] of pValues.entries()) {
    if (!(p >= 0 && p <= 1)) throw new RangeError(`p-value ${index} must lie in [0, 1], got ${p}`);
  }
  return pValues.map((p, index) => ({ p, index })).toSorted((a, b) => a.p - b.p);
}
