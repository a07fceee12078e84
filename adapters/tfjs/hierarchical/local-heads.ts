import { bandBlocks, bandReach, padForBands } from '../bands.ts';
import { blockLayout, countedKeys, wholeKeyBlocks, wholeQueryBlocks } from '../blocks.ts';
import type { Site, Tensor } from '../kernel.ts';
import { biasOfMask } from '../selection.ts';
import { attend, seenRows } from '../tiles.ts';
import { localBand, localTile, patternBias, spreadOver } from './sizes.ts';
import type { Level, Sizes } from './sizes.ts';

/** Exact keys within `local` of the query: blocks of a few queries against the band around them, as one batch. */
export function planLocal(site: Site, sizes: Sizes): Level {
  const { tf, shape, scale } = site;
  const size = localTile(sizes);
  const layout = blockLayout(shape, size);
  const band = localBand(sizes, shape.causal);
  const columns = size + bandReach(band);
  const near = patternBias(size, columns, (row, column) => column >= row && column <= row + bandReach(band));
  const pattern = site.constant(near, [1, size, columns]);
  return (group) => {
    const matrices = group.size * layout.queryBlocks;
    const pieces = (whole: Tensor) =>
      tf.reshape(bandBlocks(site, padForBands(site, whole, size, band), layout, band), [-1, columns, whole.shape[2]!]);
    const counted = tf.reshape(pieces(countedKeys(site, group, layout)), [-1, 1, columns]);
    const keyBias = spreadOver(site, biasOfMask(tf, counted), group.size, matrices);
    const bias = tf.add(keyBias, pattern);
    const query = tf.reshape(wholeQueryBlocks(site, tf.mul(group.query, scale), layout), [matrices, size, shape.headDim]);
    const score = tf.matMul(query, pieces(wholeKeyBlocks(site, group.key, layout)), false, true);
    const seen = group.mask === undefined ? undefined : seenRows(site, bias);
    const output = attend(site, score, { bias, seen }, pieces(wholeKeyBlocks(site, group.value, layout)));
    const joined = tf.reshape(output, [group.size, layout.queryBlocks * size, shape.headDim]);
    return tf.slice(joined, [0, layout.lead, 0], [group.size, shape.queries, shape.headDim]);
  };
}
