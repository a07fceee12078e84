import type { Tensor, TensorType } from '../contract/tensor.ts';
import { isFloat } from './vectors.ts';
import type { Vectors } from './vectors.ts';

/**
 * What an output holds along its last axis: `vectors` have a direction, `logits` are a distribution before softmax, `probabilities` one
 * after it, and `labels` are whole numbers that are right or wrong.
 */
export const outputKinds = ['vectors', 'logits', 'probabilities', 'labels'] as const;
export type OutputKind = (typeof outputKinds)[number];

/** How far the sum of a vector's probabilities may be from 1, by the precision that they are stored in. */
const sumTolerance: Readonly<Partial<Record<TensorType, number>>> = { float32: 1e-3, float64: 1e-3, float16: 1e-2 };
/** A changed model's own sum may be this many times as far off, so that no output sits on the edge. */
const slack = 5;
/** Where probabilities underflow: smaller ones are taken as these, as a 0 that was rounded would make the divergence infinite. */
const least: Readonly<Partial<Record<TensorType, number>>> = { float32: 2 ** -126, float64: 2 ** -1022, float16: 2 ** -24 };

/**
 * The kind of an output, by this rule: whole numbers and booleans are labels; two or more floats along the last axis are probabilities
 * where every vector of the original is within [0, 1] and sums to 1 (to .001; .01 in float16), and logits where the output's name says
 * `logit`, `log_prob` or `logprob`; all else is vectors. Unnamed logits cannot be told from hidden states by their values: the caller has
 * to say so.
 */
export function kindOf(name: string, original: Tensor, vectors: Vectors): OutputKind {
  if (!isFloat(original.type)) return 'labels';
  if (vectors.size < 2 || original.dims.at(-1) !== vectors.size) return 'vectors';
  if (/logit|log_?prob/i.test(name)) return 'logits';
  const vector = new Float64Array(vectors.size);
  for (let index = 0; index < vectors.count; index += 1) {
    vectors.read(index, vector);
    if (faultOfProbabilities(vector, original.type) !== null) return 'vectors';
  }
  return 'probabilities';
}

/** Why a vector is no distribution; null where it is one. `side` allows a changed model's sum a little more. */
export function faultOfProbabilities(vector: Float64Array, type: TensorType, side: 'original' | 'changed' = 'original'): string | null {
  const tolerance = (sumTolerance[type] ?? 1e-3) * (side === 'changed' ? slack : 1);
  let sum = 0;
  for (const value of vector) {
    if (!(value >= 0 && value <= 1 + tolerance)) return `holds ${value}, expected a probability`;
    sum += value;
  }
  return Math.abs(sum - 1) <= tolerance ? null : `sums to ${Number(sum.toPrecision(4))}, expected 1`;
}

/** The Kullback–Leibler divergence of softmax(original) ‖ softmax(changed) in nats, at least 0; float64 throughout. */
export function divergenceOfLogits(original: Float64Array, changed: Float64Array): number {
  const shift = logSumExp(original);
  const changedShift = logSumExp(changed);
  let sum = 0;
  for (let at = 0; at < original.length; at += 1) {
    const log = original[at]! - shift;
    sum += Math.exp(log) * (log - (changed[at]! - changedShift));
  }
  return Math.max(0, sum);
}

/** −log₂ of the probability that softmax(logits) gives to one class; float64 throughout. */
export function bitsOf(logits: Float64Array, chosen: number): number {
  return (logSumExp(logits) - logits[chosen]!) / Math.LN2;
}

/** As {@link divergenceOfLogits}, of probabilities: each at least the smallest that `type` can hold, then made to sum to 1. */
export function divergenceOfProbabilities(original: Float64Array, changed: Float64Array, type: TensorType): number {
  const floor = least[type] ?? least.float32!;
  const [scale, changedScale] = [totalOf(original, floor), totalOf(changed, floor)];
  let sum = 0;
  for (let at = 0; at < original.length; at += 1) {
    const share = Math.max(original[at]!, floor) / scale;
    sum += share * Math.log((share * changedScale) / Math.max(changed[at]!, floor));
  }
  return Math.max(0, sum);
}

function totalOf(vector: Float64Array, floor: number): number {
  let sum = 0;
  for (let at = 0; at < vector.length; at += 1) sum += Math.max(vector[at]!, floor);
  return sum;
}

/**
 * Whether the changed vector's first largest element is one of the original's largest. Ties of the original count as agreement, ties of the
 * changed vector do not: a model that collapsed to a constant agrees with nothing but element 0.
 */
export function agreesOnTop(original: Float64Array, changed: Float64Array): boolean {
  let top = 0;
  let most = -Infinity;
  for (let at = 0; at < original.length; at += 1) {
    if (changed[at]! > changed[top]!) top = at;
    if (original[at]! > most) most = original[at]!;
  }
  return original[top] === most;
}

function logSumExp(vector: Float64Array): number {
  let most = -Infinity;
  for (const value of vector) if (value > most) most = value;
  let sum = 0;
  for (const value of vector) sum += Math.exp(value - most);
  return most + Math.log(sum);
}
