import { positionOffset } from '../../../src/contract/shape.ts';
import type { Call, Site, Tensor, TfjsKernel } from '../kernel.ts';
import { biasOfMask, maskedScore } from '../selection.ts';
import { seenRows } from '../tiles.ts';

/** What tfjs users write today: all heads in one batched product, and all n² logits and weights in memory. */
export const denseNaive: TfjsKernel = {
  variant: 'dense',
  kernel: 'naive',
  summary: 'matMul, softmax, matMul over all n² logits of all heads',
  selects: () => 'nothing',
  scoredPairs: (_, { batch, heads, queries, keys }) => batch * heads * queries * keys,
  plan,
};

function plan(site: Site): Call {
  const { tf, shape, scale } = site;
  return ({ query, key, value, mask }) => {
    const score = tf.matMul(tf.mul(query, scale), perHead(site, key), false, true);
    const bias = biasOf(site, mask);
    const weight = tf.softmax(bias === undefined ? score : tf.add(score, bias));
    const output = tf.matMul(weight, perHead(site, value));
    const mayBeEmpty = mask !== undefined || positionOffset(shape) < 0;
    return bias === undefined || !mayBeEmpty ? output : tf.mul(output, seenRows(site, bias));
  };
}

/** Every query head with its own key/value head. */
function perHead({ tf, shape }: Site, tensor: Tensor): Tensor {
  const { batch, heads, kvHeads, keys, headDim } = shape;
  if (heads === kvHeads) return tensor;
  const repeated = tf.tile(tf.expandDims(tensor, 2), [1, 1, heads / kvHeads, 1, 1]);
  return tf.reshape(repeated, [batch, heads, keys, headDim]);
}

/** `[batch or 1, 1, queries or 1, keys]`. */
function biasOf({ tf, shape }: Site, mask: Tensor | undefined): Tensor | undefined {
  const parts: Tensor[] = [];
  if (shape.causal) {
    const offset = positionOffset(shape);
    const position = tf.expandDims(tf.range(offset, offset + shape.queries, 1, 'float32'), 1);
    const ahead = tf.greater(tf.range(0, shape.keys, 1, 'float32'), position);
    parts.push(tf.reshape(tf.mul(tf.cast(ahead, 'float32'), maskedScore), [1, 1, shape.queries, shape.keys]));
  }
  if (mask !== undefined) parts.push(tf.reshape(biasOfMask(tf, mask), [shape.batch, 1, 1, shape.keys]));
  return parts.length === 0 ? undefined : parts.reduce((sum, part) => tf.add(sum, part));
}
