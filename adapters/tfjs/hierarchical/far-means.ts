import { bandBlocks, bandReach, padForBands } from '../bands.ts';
import { blockMeans, emptyBias } from '../blocks.ts';
import type { BlockLayout } from '../blocks.ts';
import type { Cut } from '../cut.ts';
import type { Site, Tensor } from '../kernel.ts';
import { maskedScore } from '../selection.ts';
import { patternBias, spreadOver } from './sizes.ts';
import type { Sizes } from './sizes.ts';

/** Whole blocks of keys: `[size, rows, headDim]` twice, and f32 `[size or 1, rows, 1]`, 1 for real, unpadded keys. */
export interface WholeKeys {
  readonly key: Tensor;
  readonly value: Tensor;
  readonly counted: Tensor;
}

/** What the queries of regions see of far keys: scores `[size·regions, region, columns]`, and weights of that shape applied. */
export interface FarMeans {
  score(query: Tensor): Tensor;
  apply(weight: Tensor): Tensor;
}

/** The means of a group's keys, for regions [from, from + count) of its queries at a time. */
export type PlannedFar = (size: number, whole: WholeKeys) => (from: number, count: number) => FarMeans;

/** Means of blocks of keys, and ln(tokens), the masked score where there are none: `[size or 1, blocks, 1]`. */
function meansOf(site: Site, { key, value, counted }: WholeKeys, size: number) {
  const { tf } = site;
  const { mean, tokens } = blockMeans(site, key, counted, size);
  const bias = tf.add(tf.log(tf.maximum(tokens, 1)), emptyBias(site, tokens));
  return { key: mean, value: blockMeans(site, value, counted, size).mean, bias };
}

/** Blocks of the own region and of its neighbours; when causal, those before the query's own block alone. */
export function planRegional(site: Site, { local, region }: Sizes, layout: BlockLayout): PlannedFar {
  const { tf, shape } = site;
  const size = region / local;
  const band = { before: size, after: shape.causal ? 0 : size };
  const columns = size + bandReach(band);
  const others = patternBias(region, columns, (row, column) => {
    const ahead = Math.floor(row / local) + size - column;
    return shape.causal ? ahead > 0 : ahead !== 0;
  });
  const pattern = site.constant(others, [1, region, columns]);
  return (group, whole) => {
    const means = meansOf(site, whole, local);
    const [key, value] = [padForBands(site, means.key, size, band), padForBands(site, means.value, size, band)];
    const tokens = padForBands(site, means.bias, size, band, maskedScore);
    return (from, count) => {
      const run = { ...layout, size, first: layout.first + from, queryBlocks: count };
      const pieces = (padded: Cut) => tf.reshape(bandBlocks(site, padded, run, band), [-1, columns, padded.whole.shape[2]!]);
      const inside = spreadOver(site, tf.reshape(pieces(tokens), [-1, 1, columns]), group, group * count);
      return {
        score: (query) => tf.add(tf.matMul(query, pieces(key), false, true), tf.add(inside, pattern)),
        apply: (weight) => tf.matMul(weight, pieces(value)),
      };
    };
  };
}

/** Every other region; when causal, those before the query's. All queries of a head see the same means. */
export function planGlobal(site: Site, { region }: Sizes, layout: BlockLayout): PlannedFar {
  const { tf, shape } = site;
  const { keyBlocks, first } = layout;
  return (group, whole) => {
    const means = meansOf(site, whole, region);
    const keyTransposed = tf.transpose(means.key, [0, 2, 1]);
    const tokens = tf.reshape(means.bias, [-1, 1, keyBlocks]);
    return (from, count) => {
      const rows = count * region;
      const home = (row: number) => first + from + Math.floor(row / region);
      const allowed = (row: number, column: number) => (shape.causal ? column < home(row) : column !== home(row));
      const bias = tf.add(tf.tensor3d(patternBias(rows, keyBlocks, allowed), [1, rows, keyBlocks]), tokens);
      const perHead = (tensor: Tensor) => tf.reshape(tensor, [group, rows, -1]);
      const perRegion = (tensor: Tensor) => tf.reshape(tensor, [group * count, region, -1]);
      return {
        score: (query) => perRegion(tf.add(tf.matMul(perHead(query), keyTransposed), bias)),
        apply: (weight) => perRegion(tf.matMul(perHead(weight), means.value)),
      };
    };
  };
}
