import { exp, ln } from './portable-math.ts';
import type { RandomStream } from './random.ts';

/** Token types; type t is drawn with probability ∝ (t+1)^−1.05, as words are in text (Zipf). */
export const tokenTypes = 4096;
const zipfExponent = 1.05;

let cumulative: Float64Array | undefined;

function cumulativeWeights(): Float64Array {
  if (cumulative !== undefined) return cumulative;
  const weights = new Float64Array(tokenTypes);
  let sum = 0;
  for (let type = 0; type < tokenTypes; type += 1) {
    sum += exp(-zipfExponent * ln(type + 1));
    weights[type] = sum;
  }
  cumulative = weights;
  return weights;
}

/** Draws `length` token types, each in 0…4095, one number of the stream each: a longer draw begins with the shorter one. */
export function drawTokens(stream: RandomStream, length: number): Uint16Array {
  const weights = cumulativeWeights();
  const tokens = new Uint16Array(length);
  for (let index = 0; index < length; index += 1) {
    const target = stream.uniform() * weights[tokenTypes - 1]!;
    let low = 0;
    let high = tokenTypes - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (weights[middle]! > target) high = middle;
      else low = middle + 1;
    }
    tokens[index] = low;
  }
  return tokens;
}
