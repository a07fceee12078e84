import type * as tfjs from '@tensorflow/tfjs-core';
import type { Tensor, Tf } from '../kernel.ts';

/**
 * Gradients of the operations that come without one in tfjs-core's build for Node, as far as the trainer uses them by themselves: the
 * second factor, or term, is a constant, or as large as the first.
 */
export function registerGradients(tf: Tf): void {
  const register = (kernelName: string, inputsToSave: string[], gradFunc: tfjs.GradFunc) =>
    tf.registerGradient({ kernelName, inputsToSave, gradFunc });
  const shapeOf = (tensor: Tensor | undefined): number[] => tensor!.shape;
  register('Reshape', ['x'], (slope, [x]) => ({ x: () => tf.reshape(slope as Tensor, shapeOf(x)) }));
  register('Transpose', [], (slope, _saved, attributes) => {
    const { perm } = attributes as unknown as { perm: number[] };
    return { x: () => tf.transpose(slope as Tensor, tf.backend_util.getUndoAxesPermutation(perm)) };
  });
  register('Add', [], (slope) => ({ a: () => tf.clone(slope as Tensor), b: () => tf.clone(slope as Tensor) }));
  register('Multiply', ['a', 'b'], (slope, [a, b]) => ({
    a: () => tf.mul(slope as Tensor, b!),
    b: () => tf.mul(slope as Tensor, a!),
  }));
}
