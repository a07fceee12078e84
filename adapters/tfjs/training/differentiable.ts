import type { Tensor, Tf } from '../kernel.ts';

/** What an operation gives, and its inputs' gradients from the result's. */
export interface Operation {
  readonly value: Tensor;
  /** What `slopes` needs: anything else of the forward pass is gone by then. */
  readonly keep: readonly Tensor[];
  slopes(slope: Tensor, kept: readonly Tensor[]): Tensor[];
}

/** An operation with a gradient of its own: `forward` runs off the tape. */
export function differentiable(tf: Tf, inputs: readonly Tensor[], forward: () => Operation): Tensor {
  return tf.customGrad((...given) => {
    const { value, keep, slopes } = forward();
    const save = given.at(-1) as unknown as (tensors: readonly Tensor[]) => void;
    save(keep);
    return { value, gradFunc: (slope: Tensor, kept: Tensor[]) => slopes(slope, kept) };
  })(...inputs);
}
