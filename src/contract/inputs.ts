import type { Shape } from './shape.ts';

/** A learned gate: γ_ij = (q_i U)·(k_j W)/√rank + b, per query head. */
export interface GateTensors {
  readonly rank: number;
  /** `[heads, headDim, rank]`, f32. */
  readonly u: Float32Array;
  /** `[heads, headDim, rank]`, f32. */
  readonly w: Float32Array;
  /** `[heads]`, f32. */
  readonly b: Float32Array;
}

/**
 * A bias that is added to the scaled logits, broadcast to `[batch, heads, queries, keys]`: positions, windows, masks of pairs. A pair at or
 * below {@link removedBelow} is removed from its query's set.
 */
export interface BiasTensor {
  /** Each size is 1 or that of `[batch, heads, queries, keys]`. */
  readonly dims: readonly [number, number, number, number];
  /** Row-major, finite, in the shape's dtype. */
  readonly values: Float32Array;
}

/** At or below this a bias removes a pair: half of what kernels add to the score of a masked pair. */
export const removedBelow = { f32: -5e29, f16: -8e3, bf16: -5e29 } as const;

/** What one attention call reads: contiguous, row-major f32, already rounded to `shape.dtype`. */
export interface AttentionInputs {
  readonly shape: Shape;
  /** `[batch, heads, queries, headDim]`. */
  readonly query: Float32Array;
  /** `[batch, kvHeads, keys, headDim]`. */
  readonly key: Float32Array;
  /** `[batch, kvHeads, keys, headDim]`. */
  readonly value: Float32Array;
  /** Padding, `[batch, keys]`: 1 keeps a key, 0 removes it from every query's set. Absent: all are kept. */
  readonly mask?: Uint8Array;
  /** Absent: nothing is added to the logits. */
  readonly bias?: BiasTensor;
  /** The logits' factor: 1/√headDim unless captured inputs carry another. */
  readonly scale: number;
  /** Caps the scaled logits softly: softcap · tanh(logit / softcap), before a bias is added and keys are masked. Absent: no cap. */
  readonly softcap?: number;
  /** Attention sinks, `[heads]`: a logit of each head that joins every row's softmax and weighs no value. Absent: none. */
  readonly sinks?: Float32Array;
  /** Present whenever the variant is `gated`. */
  readonly gate?: GateTensors;
}
