import { alibiSlopes, anglesOf } from '../../../src/training/positions.ts';
import type { Tensor } from '../kernel.ts';
import { differentiable } from './differentiable.ts';
import type { TrainingSite } from './site.ts';

/** `[batch·length, width]` → `[heads·batch, length, width/heads]`. */
export function splitHeads({ tf, testbed: { heads, width } }: TrainingSite, x: Tensor, length: number): Tensor {
  const batch = x.shape[0]! / length;
  const parts = tf.transpose(tf.reshape(x, [batch, length, heads, width / heads]), [2, 0, 1, 3]);
  return tf.reshape(parts, [heads * batch, length, width / heads]);
}

/** The reverse of {@link splitHeads}. */
export function joinHeads({ tf, testbed: { heads, width } }: TrainingSite, x: Tensor): Tensor {
  const [size = 1, length = 1] = x.shape;
  const batch = size / heads;
  return tf.reshape(tf.transpose(tf.reshape(x, [heads, batch, length, width / heads]), [1, 2, 0, 3]), [batch * length, width]);
}

/** Queries or keys with their positions, where attention is what carries them. */
export function placed(site: TrainingSite, x: Tensor, part: 'query' | 'key'): Tensor {
  if (site.testbed.position === 'rotary' || site.testbed.position === 'axial') return turned(site, x);
  return site.testbed.position === 'alibi' ? leaning(site, x, part) : x;
}

/** Rotary or axial positions: dimension m pairs with m + d/2. */
function turned({ tf, testbed, products, constants }: TrainingSite, x: Tensor): Tensor {
  const [size = 1, length = 1, dim = 2] = x.shape;
  const half = dim / 2;
  const { cosines, sines, partners } = constants.once(`rotary/${length}`, (place) => {
    const angles = anglesOf(testbed, length, dim)!;
    const table = (of: (angle: number) => number) =>
      Float32Array.from({ length: length * dim }, (_, at) => of(angles[Math.floor(at / dim) * half + ((at % dim) % half)]!));
    // x·partners is the other of each pair, the first with a minus.
    const matrix = new Float32Array(dim * dim);
    for (let m = 0; m < half; m++) [matrix[(m + half) * dim + m], matrix[m * dim + m + half]] = [-1, 1];
    return {
      cosines: place(table(Math.cos), [length, dim]),
      sines: place(table(Math.sin), [length, dim]),
      partners: place(matrix, [dim, dim]),
    };
  });
  const others = tf.reshape(products.fromRight(tf.reshape(x, [size * length, dim]), partners), [size, length, dim]);
  return tf.add(tf.mul(x, cosines), tf.mul(others, sines));
}

/** ALiBi as one more dimension: c·q·k' = c·q·k + slope·j; what is the same for all keys of a row is left out. */
function leaning({ tf, testbed, constants }: TrainingSite, x: Tensor, part: 'query' | 'key'): Tensor {
  const [size = 1, length = 1, dim = 1] = x.shape;
  const column = constants.once(`alibi/${part}/${size}/${length}`, (place) => {
    const slopes = alibiSlopes(testbed.heads);
    const slope = (at: number) => slopes[Math.floor(at / ((size * length) / testbed.heads))]! * Math.sqrt(dim);
    const values = Float32Array.from({ length: size * length }, (_, at) => (part === 'query' ? slope(at) : at % length));
    return place(values, [size, length, 1]);
  });
  return differentiable(tf, [x], () => ({
    value: tf.concat([x, column], 2),
    keep: [],
    slopes: (slope) => [tf.slice(slope, [0, 0, 0], [size, length, dim])],
  }));
}
