import type { Tensor, Tensors } from '../contract/tensor.ts';
import { AttnswapError } from '../contract/errors.ts';
import { agreesOnTop, divergenceOfLogits, divergenceOfProbabilities, faultOfProbabilities, kindOf } from './distributions.ts';
import type { OutputKind } from './distributions.ts';
import { isFloat, vectorsOf } from './vectors.ts';
import type { Vectors } from './vectors.ts';

/** How far one output of a changed model is from the original's, on one item. */
export interface OutputDrift {
  readonly output: string;
  readonly kind: OutputKind;
  /** Whether every element is the same number. */
  readonly identical: boolean;
  /** ‖changed − original‖ / ‖original‖ over the whole output; null for labels. */
  readonly relativeError: number | null;
  /**
   * 1 − cosine of each vector along the last axis, in order, exact down to 1e-30; 0 where both are zero, 1 where one is. Empty for labels.
   */
  readonly cosineDistances: Float64Array;
  /** Mean KL(original ‖ changed) of the vectors, nats; null but for logits and probabilities. */
  readonly divergence: number | null;
  /** Share of vectors (of labels: of elements) whose most probable class is the same; null for plain vectors. */
  readonly agreement: number | null;
}

/** A changed model's drift on one item. A fault is an outcome that no limit lets pass. */
export type ItemDrift =
  | { readonly state: 'measured'; readonly item: string; readonly outputs: readonly OutputDrift[] }
  | { readonly state: 'fault'; readonly item: string; readonly reason: string };

/** What outputs hold, where the caller knows better than the rule of `kindOf`. */
export type ChosenKinds = Readonly<Record<string, OutputKind>>;

/**
 * Compares all outputs of one item, vector by vector, accumulating in float64; float16 is decoded exactly. Missing or added outputs, other
 * shapes, NaN, infinities and empty outputs, on either side, are faults. Squares of float64 beyond 1e±150 are not told from ∞ and 0.
 * @throws INVALID_DATA where a tensor's data are not what its type and dims say, or `kinds` names an output that there is not
 */
export function itemDrift(item: string, original: Tensors, changed: Tensors, kinds: ChosenKinds = {}): ItemDrift {
  const stray = Object.keys(kinds).find((name) => !Object.hasOwn(original, name));
  if (stray !== undefined) {
    throw new AttnswapError('INVALID_DATA', `kinds: there is no output ${stray}, expected one of ${Object.keys(original).join(', ')}`);
  }
  const fault = (reason: string): ItemDrift => ({ state: 'fault', item, reason });
  const added = Object.keys(changed).find((name) => !Object.hasOwn(original, name));
  if (added !== undefined) return fault(`the changed model has an output ${added} that the original lacks`);
  if (Object.keys(original).length === 0) return fault('there are no outputs, so nothing was compared');
  const outputs: OutputDrift[] = [];
  for (const [name, tensor] of Object.entries(original)) {
    const drift = outputDrift(name, tensor, Object.hasOwn(changed, name) ? changed[name] : undefined, kinds[name]);
    if (typeof drift === 'string') return fault(`output ${name}: ${drift}`);
    outputs.push(drift);
  }
  return { state: 'measured', item, outputs };
}

/** The drift of one output, or why it is a fault. */
function outputDrift(output: string, original: Tensor, changed: Tensor | undefined, chosen: OutputKind | undefined): OutputDrift | string {
  if (changed === undefined) return 'the changed model lacks it';
  const shape = ({ dims }: Tensor) => `[${dims.join(', ')}]`;
  if (shape(original) !== shape(changed)) return `the changed shape is ${shape(changed)}, expected ${shape(original)}`;
  if (isFloat(original.type) !== isFloat(changed.type)) return `the changed type is ${changed.type}, expected ${original.type}`;
  const pair = { original: vectorsOf(original, output), changed: vectorsOf(changed, output) };
  if (pair.original.count === 0) return `the shape is ${shape(original)}: nothing was compared`;
  const kind = chosen ?? kindOf(output, original, pair.original);
  const tally = new DriftTally(kind, pair.original, { original, changed });
  const fault = tally.addAll(pair);
  if (fault !== null) return fault;
  const drift = { output, kind, ...tally.figures() };
  if (drift.relativeError === Infinity) return 'the original output is all zeros and the changed one is not';
  const figures = [drift.relativeError, drift.divergence, drift.cosineDistances.every(Number.isFinite) ? 0 : NaN];
  return figures.every((figure) => figure === null || Number.isFinite(figure)) ? drift : 'the values are too large to be compared';
}

/** Sums over the vectors of one output. */
class DriftTally {
  readonly #kind: OutputKind;
  readonly #size: number;
  readonly #count: number;
  readonly #tensors: { readonly original: Tensor; readonly changed: Tensor };
  readonly #distances: Float64Array;
  #error = 0;
  #norm = 0;
  #divergence = 0;
  #agreed = 0;

  constructor(kind: OutputKind, { size, count }: Vectors, tensors: { readonly original: Tensor; readonly changed: Tensor }) {
    this.#kind = kind;
    this.#size = size;
    this.#count = count;
    this.#tensors = tensors;
    this.#distances = new Float64Array(kind === 'labels' ? 0 : count);
  }

  /** Adds every vector; null, or why they cannot be compared. */
  addAll(pair: { readonly original: Vectors; readonly changed: Vectors }): string | null {
    const original = new Float64Array(this.#size);
    const changed = new Float64Array(this.#size);
    for (let index = 0; index < this.#count; index += 1) {
      pair.original.read(index, original);
      pair.changed.read(index, changed);
      const fault = this.#faultOf('original', original) ?? this.#faultOf('changed', changed);
      if (fault !== null) return `${fault} (vector ${index} of ${this.#count})`;
      this.#add(index, original, changed);
    }
    return null;
  }

  #faultOf(side: 'original' | 'changed', vector: Float64Array): string | null {
    const at = firstNonFinite(vector);
    if (at >= 0) return `the ${side} element ${at} is ${vector[at]}`;
    if (this.#kind !== 'probabilities') return null;
    const fault = faultOfProbabilities(vector, this.#tensors[side].type, side);
    return fault === null ? null : `the ${side} vector ${fault}`;
  }

  #add(index: number, original: Float64Array, changed: Float64Array): void {
    // Outputs have millions of elements: sums in local variables, and no closure or pair per element, take a quarter of the time.
    let error = 0;
    let norm = 0;
    let changedNorm = 0;
    let equal = 0;
    for (let at = 0; at < original.length; at += 1) {
      const b = original[at]!;
      const a = changed[at]!;
      error += (a - b) * (a - b);
      norm += b * b;
      changedNorm += a * a;
      if (a === b) equal += 1;
    }
    this.#error += error;
    this.#norm += norm;
    if (this.#kind === 'labels') this.#agreed += equal;
    else this.#distances[index] = cosineDistance({ vector: original, norm }, { vector: changed, norm: changedNorm });
    if (this.#kind === 'logits') this.#divergence += divergenceOfLogits(original, changed);
    if (this.#kind === 'probabilities') this.#divergence += divergenceOfProbabilities(original, changed, this.#tensors.original.type);
    if (this.#kind === 'logits' || this.#kind === 'probabilities') this.#agreed += agreesOnTop(original, changed) ? 1 : 0;
  }

  figures(): Omit<OutputDrift, 'output' | 'kind'> {
    const labels = this.#kind === 'labels';
    const distribution = this.#kind === 'logits' || this.#kind === 'probabilities';
    const relative = this.#error === 0 ? 0 : Math.sqrt(this.#error / this.#norm);
    return {
      identical: this.#error === 0,
      relativeError: labels ? null : relative,
      cosineDistances: this.#distances,
      divergence: distribution ? this.#divergence / this.#count : null,
      agreement: labels ? this.#agreed / (this.#count * this.#size) : distribution ? this.#agreed / this.#count : null,
    };
  }
}

function firstNonFinite(vector: Float64Array): number {
  for (let at = 0; at < vector.length; at += 1) if (!Number.isFinite(vector[at])) return at;
  return -1;
}

interface Measured {
  readonly vector: Float64Array;
  /** Sum of squares. */
  readonly norm: number;
}

/** ½‖â − b̂‖², which is 1 − cosine without its cancellation. */
function cosineDistance(a: Measured, b: Measured): number {
  if (a.norm === 0 || b.norm === 0) return a.norm === b.norm ? 0 : 1;
  const [scale, other] = [1 / Math.sqrt(a.norm), 1 / Math.sqrt(b.norm)];
  const { vector } = a;
  const second = b.vector;
  let sum = 0;
  for (let at = 0; at < vector.length; at += 1) {
    const apart = vector[at]! * scale - second[at]! * other;
    sum += apart * apart;
  }
  return sum / 2;
}
