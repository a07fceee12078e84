import type { AttentionInputs } from '../contract/inputs.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import { blockQueries, keyMeans } from './blocks.ts';
import type { HeadView } from './head-view.ts';

/** The Euclidean norms of vectors `[count, headDim]`. */
export function vectorNorms(vectors: Float32Array | Float64Array, headDim: number): Float64Array {
  const norms = new Float64Array(vectors.length / headDim);
  for (let i = 0; i < norms.length; i++) {
    let square = 0;
    for (let m = i * headDim; m < (i + 1) * headDim; m++) square += vectors[m]! ** 2;
    norms[i] = Math.sqrt(square);
  }
  return norms;
}

/** The sizes that bound the rounding of a selection's scores, in units of the unit roundoff. */
export interface SelectionSizes {
  /** True where blocks are selected, by one score for a whole block of queries. */
  readonly byBlock: boolean;
  /** Roundings of one score times the size of its terms; by pair, for a query of norm 1. */
  readonly terms: number;
  /** What the rounding of the blocks' means adds. */
  readonly roundedMeans: number;
}

/**
 * Sizes of the scores that `variant` selects by. A score is a sum of headDim products of size c‖q‖‖k‖ (√headDim + 3
 * roundings); a gate's logit one of rank products of projected vectors of size ‖q‖‖U‖/√headDim and ‖k‖‖W‖/√headDim
 * (Frobenius norms; √rank + 6). Between blocks, q and k are the blocks' means, each rounded once by the size of what it is the mean of.
 */
export function selectionSizes(
  view: HeadView,
  inputs: AttentionInputs,
  { variant, parameters, head }: { variant: Variant; parameters: Parameters; head: number },
): SelectionSizes {
  const { headDim } = view.shape;
  const gate = variant.name === 'gated' ? inputs.gate : undefined;
  const steps = gate === undefined ? Math.sqrt(headDim) + 3 : Math.sqrt(gate.rank) + 6;
  const factor = gate === undefined ? view.scale : gateFactor(gate, headDim, head);
  const longestKey = longest(vectorNorms(view.key, headDim));
  const block = Number(parameters['block'] ?? 1);
  if (block === 1 && variant.name !== 'block-topk') {
    return { byBlock: false, terms: steps * factor * longestKey, roundedMeans: 0 };
  }
  const query = longest(vectorNorms(blockQueries(view, block), headDim));
  const key = longest(vectorNorms(keyMeans(view, block).mean, headDim));
  const longestQuery = longest(vectorNorms(view.query, headDim));
  return { byBlock: true, terms: steps * factor * query * key, roundedMeans: factor * (query * longestKey + longestQuery * key) };
}

function gateFactor(gate: NonNullable<AttentionInputs['gate']>, headDim: number, head: number): number {
  const size = headDim * gate.rank;
  const u = vectorNorms(gate.u.subarray(head * size, (head + 1) * size), size)[0]!;
  const w = vectorNorms(gate.w.subarray(head * size, (head + 1) * size), size)[0]!;
  return (u * w) / (headDim * Math.sqrt(gate.rank));
}

function longest(norms: Float64Array): number {
  return norms.reduce((most, norm) => Math.max(most, norm), 0);
}
