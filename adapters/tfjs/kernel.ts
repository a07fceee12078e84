import type { KernelDescription } from '../../src/contract/adapter.ts';
import type { Shape } from '../../src/contract/shape.ts';
import type { Parameters } from '../../src/contract/variant.ts';
import type { Selection } from './selection.ts';
import type { Tensor, Tf } from './tf.ts';

export type { Tensor, Tf } from './tf.ts';

/** What a kernel's calls have in common: known before any value is. */
export interface Site {
  readonly tf: Tf;
  readonly shape: Shape;
  readonly parameters: Parameters;
  readonly scale: number;
  /** Whether there is a padding mask. */
  readonly masked: boolean;
  /** `each`: one head after the other, as rank-2 products; `all`: every head of the batch in one product. */
  readonly heads: 'each' | 'all';
  readonly selection: Selection;
  /** f32 values that are the same in every call, `dims`; freed with the kernel. */
  constant(values: Float32Array, dims: number[]): Tensor;
}

export interface KernelTensors {
  /** `[batch, heads, queries, headDim]`. */
  readonly query: Tensor;
  /** `[batch, kvHeads, keys, headDim]`. */
  readonly key: Tensor;
  /** `[batch, kvHeads, keys, headDim]`. */
  readonly value: Tensor;
  /** f32 `[batch, keys]`, 1 keeps a key, 0 is padding. */
  readonly mask?: Tensor;
  /** `[heads, headDim, rank]`, `[heads, headDim, rank]`, `[heads]`. */
  readonly gate?: { readonly rank: number; readonly u: Tensor; readonly w: Tensor; readonly b: Tensor };
}

/** One call: `[batch, heads, queries, headDim]`. Runs inside `tf.tidy`. */
export type Call = (tensors: KernelTensors) => Tensor;

export type Selects = 'nothing' | 'entries' | 'blocks';

/** A kernel in tfjs operations. `plan` makes what does not depend on values and returns the call. */
export interface TfjsKernel extends KernelDescription {
  /** What it selects by its scores. */
  selects(parameters: Parameters): Selects;
  plan(site: Site): Call;
}
