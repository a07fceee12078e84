/** ln of the softmax probability of class `target`. */
export function logProbability(logits: Float32Array | Float64Array, target: number): number {
  // Subtract the largest: exp overflows f64 above 709.
  let largest = -Infinity;
  for (const logit of logits) largest = Math.max(largest, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return logits[target]! - largest - Math.log(sum);
}

/** The largest softmax probability. */
export function largestProbability(logits: Float32Array | Float64Array): number {
  return Math.exp(logProbability(logits, logits.indexOf(Math.max(...logits))));
}
