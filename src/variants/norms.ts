import type { AttentionInputs, GateTensors } from '../contract/inputs.ts';
import type { Parameters, Variant } from '../contract/variant.ts';
import { blockQueries, keyMeans } from './blocks.ts';
import { gatesQueries } from './gated/parameters.ts';
import type { HeadView } from './head-view.ts';

/** The Euclidean norms of vectors `[count, headDim]`. */
export function vectorNorms(vectors: Float32Array | Float64Array, headDim: number): Float64Array {
  const norms = new Float64Array(vectors.length / headDim);
  for (let i = 0; i < norms.length; i++) norms[i] = normOf(vectors, i, headDim);
  return norms;
}

/** The Euclidean norm of one of them. Products, as a power is a call until the loop is optimized, and a worker runs it once. */
export function normOf(vectors: Float32Array | Float64Array, index: number, headDim: number): number {
  let square = 0;
  for (let m = index * headDim; m < (index + 1) * headDim; m++) square += vectors[m]! * vectors[m]!;
  return Math.sqrt(square);
}

/** The size that, times the unit roundoff, bounds the rounding of the scores that `query` selects by. */
export type SelectionSize = (query: number) => number;

/**
 * Sizes of the scores that `variant` selects by. A score is a sum of headDim products of size c‖q‖‖k‖ (√headDim + 3
 * roundings); a gate's logit one of rank products of projected vectors of size ‖q‖‖U‖/√headDim and ‖k‖‖W‖/√headDim
 * (Frobenius norms; √rank + 6), or, of queries alone, the sum of rank such elements over √rank. Between blocks, q and k are the blocks' means, each rounded once by the size of what it
 * is the mean of; the mean query of a block that is all padding is exactly 0, and so are its scores: ties, not near ties.
 */
export function selectionSize(
  view: HeadView,
  inputs: AttentionInputs,
  { variant, parameters, head, longestKey }: { variant: Variant; parameters: Parameters; head: number; longestKey: number },
): SelectionSize {
  const { headDim } = view.shape;
  const gate = variant.name === 'gated' ? inputs.gate : undefined;
  const steps = gate === undefined ? Math.sqrt(headDim) + 3 : Math.sqrt(gate.rank) + 6;
  if (gate !== undefined && gatesQueries(parameters['form'])) {
    // A query's gate is compared with those of all others.
    const size = (steps * longest(vectorNorms(view.query, headDim)) * matrixNorm(gate.u, gate, { headDim, head })) / Math.sqrt(headDim);
    return () => size;
  }
  const factor = gate === undefined ? view.scale : gateFactor(gate, headDim, head);
  const block = Number(parameters['block'] ?? 1);
  if (block === 1 && variant.name !== 'block-topk') return (query) => factor * steps * normOf(view.query, query, headDim) * longestKey;
  const speakers = vectorNorms(blockQueries(view, block), headDim);
  const longestMean = longest(vectorNorms(keyMeans(view, block).mean, headDim));
  const longestQuery = longest(vectorNorms(view.query, headDim));
  return (query) => {
    const speaker = speakers[Math.floor((query + view.offset) / block)]!;
    if (speaker === 0) return 0;
    return factor * (steps * speaker * longestMean + speaker * longestKey + longestQuery * longestMean);
  };
}

function gateFactor(gate: GateTensors, headDim: number, head: number): number {
  const norm = (matrix: Float32Array) => matrixNorm(matrix, gate, { headDim, head });
  return (norm(gate.u) * norm(gate.w)) / (headDim * Math.sqrt(gate.rank));
}

/** The Frobenius norm of one head's matrix. */
function matrixNorm(matrix: Float32Array, { rank }: GateTensors, { headDim, head }: { headDim: number; head: number }): number {
  const size = headDim * rank;
  return normOf(matrix, head, size);
}

/** The largest of norms; 0 of none. */
export function longest(norms: Float64Array): number {
  return norms.reduce((most, norm) => Math.max(most, norm), 0);
}
