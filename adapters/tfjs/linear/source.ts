import { leastLength } from '../../../src/variants/linear/features.ts';
import type { LinearSettings } from '../../../src/variants/linear/parameters.ts';
import { cutOf } from '../cut.ts';
import type { Cut } from '../cut.ts';
import { joinTensors } from '../head-groups.ts';
import type { HeadGroup } from '../head-groups.ts';
import type { Site, Tensor, Tf } from '../kernel.ts';

/** What the state of each matrix of a group is changed and read by. */
export interface LinearSource {
  /** φ(q), times the scale where the output is not divided by its weights: `[size, queries, headDim]`. */
  readonly query: Cut;
  /** φ(k), 0 where padded: `[size, keys, headDim]`. */
  readonly key: Cut;
  /** `[size, keys, columns]`: with a column of ones, which gives the sum of the weights. */
  readonly value: Cut;
}

export function linearSource(site: Site, group: HeadGroup, settings: LinearSettings): LinearSource {
  const { tf, shape, scale } = site;
  const query = features(tf, group.query, settings);
  const mapped = features(tf, group.key, settings);
  const key = group.mask === undefined ? mapped : tf.mul(mapped, tf.expandDims(group.mask, 2));
  const withSum = () => joinTensors(tf, [group.value, tf.ones([group.size, shape.keys, 1])], 2);
  return {
    query: cutOf(site, settings.normalized ? query : tf.mul(query, scale)),
    key: cutOf(site, key),
    value: cutOf(site, settings.normalized ? withSum() : group.value),
  };
}

function features(tf: Tf, vectors: Tensor, { map, unitLength }: LinearSettings): Tensor {
  const mapped = map === 'identity' ? vectors : map === 'relu' ? tf.relu(vectors) : tf.add(tf.elu(vectors), 1);
  if (!unitLength) return mapped;
  return tf.div(mapped, tf.maximum(tf.sqrt(tf.sum(tf.square(mapped), -1, true)), leastLength));
}

/** What was read from the state, over the sum of its weights: where no weight is above 0 there is nothing to divide, and zeros stay zeros. */
export function divideByWeights({ tf, shape: { headDim } }: Site, read: Tensor): Tensor {
  const leastNormal = 2 ** -126;
  const [size = 1, rows = 0] = read.shape;
  const sum = tf.slice(read, [0, 0, headDim], [size, rows, 1]);
  return tf.div(tf.slice(read, [0, 0, 0], [size, rows, headDim]), tf.maximum(sum, leastNormal));
}
