import { positionOffset } from '../../src/contract/shape.ts';
import type { Shape } from '../../src/contract/shape.ts';
import type { HeadGroup } from './head-groups.ts';
import type { Site, Tensor } from './kernel.ts';
import { biasOfMask } from './selection.ts';

/** Queries and keys cut into blocks of `size` positions on the keys' axis: block t of the queries is block `first` + t of the keys. */
export interface BlockLayout {
  readonly size: number;
  /** The position of query 0. */
  readonly offset: number;
  /** The first block that holds a query. */
  readonly first: number;
  /** Positions of that block before query 0. */
  readonly lead: number;
  /** Blocks that hold a query. */
  readonly queryBlocks: number;
  readonly keyBlocks: number;
}

export function blockLayout(shape: Pick<Shape, 'queries' | 'keys'>, size: number): BlockLayout {
  const offset = positionOffset(shape);
  const first = Math.floor(offset / size);
  const keyBlocks = Math.ceil(shape.keys / size);
  return { size, offset, first, lead: offset - first * size, queryBlocks: keyBlocks - first, keyBlocks };
}

/** Zero rows put before and after `[size, n, width]`. */
function padRows({ tf }: Site, tensor: Tensor, before: number, after: number): Tensor {
  return before === 0 && after === 0
    ? tensor
    : tf.pad(tensor, [
        [0, 0],
        [before, after],
        [0, 0],
      ]);
}

/** `[group, keyBlocks·size, width]`: the last block filled up with zeros. */
export function wholeKeyBlocks(site: Site, tensor: Tensor, layout: BlockLayout): Tensor {
  return padRows(site, tensor, 0, layout.keyBlocks * layout.size - site.shape.keys);
}

/** `[group, queryBlocks·size, width]`: the first and last block filled up with zeros. */
export function wholeQueryBlocks(site: Site, tensor: Tensor, layout: BlockLayout): Tensor {
  const { lead, queryBlocks, size } = layout;
  return padRows(site, tensor, lead, queryBlocks * size - lead - site.shape.queries);
}

/** Means over the unpadded positions of each block. */
export interface Means {
  /** `[group, blocks, width]`, zeros where a block has none. */
  readonly mean: Tensor;
  /** f32 `[group or 1, blocks, 1]`: positions that count. */
  readonly tokens: Tensor;
}

/**
 * Means of whole blocks, `tensor` `[group, blocks·size, width]`; `counted` f32 `[group or 1, blocks·size, 1]`, 0 for positions
 * that do not count. Sums are products with rows of ones and zeros: WebAssembly's Sum would transpose first.
 */
export function blockMeans({ tf }: Site, tensor: Tensor, counted: Tensor, size: number): Means {
  const [group = 1, rows = 0, width = 1] = tensor.shape;
  const blocks = rows / size;
  const perBlock = tf.reshape(counted, [counted.shape[0]!, blocks, size]);
  const weights = counted.shape[0] === group ? perBlock : tf.tile(perBlock, [group, 1, 1]);
  const sum = tf.matMul(tf.reshape(weights, [group * blocks, 1, size]), tf.reshape(tensor, [group * blocks, size, width]));
  const tokens = tf.expandDims(tf.sum(perBlock, 2), 2);
  return { mean: tf.div(tf.reshape(sum, [group, blocks, width]), tf.maximum(tokens, 1)), tokens };
}

/** 0, or the masked score of a block without tokens: `[group or 1, blocks, 1]`. */
export function emptyBias({ tf }: Site, tokens: Tensor): Tensor {
  return biasOfMask(tf, tf.minimum(tokens, 1));
}

/** f32 `[group or 1, keyBlocks·size, 1]`: 1 for real, unpadded keys. */
export function countedKeys(site: Site, { mask }: HeadGroup, layout: BlockLayout): Tensor {
  const { tf, shape } = site;
  const ones = mask === undefined ? tf.ones([1, shape.keys, 1]) : tf.expandDims(mask, 2);
  return wholeKeyBlocks(site, ones, layout);
}

/**
 * The query that speaks for each block, `[group, queryBlocks, headDim]`: the first one when causal, else the mean, over the
 * unpadded positions where queries and keys are equally many.
 */
export function blockSpeakers(site: Site, group: HeadGroup, layout: BlockLayout): Tensor {
  const { tf, shape } = site;
  if (shape.causal) {
    const rows = Array.from({ length: layout.queryBlocks }, (_, block) => Math.max(0, block * layout.size - layout.lead));
    return tf.gather(group.query, tf.tensor1d(rows, 'int32'), 1);
  }
  const masked = group.mask !== undefined && shape.queries === shape.keys;
  const counted = masked ? tf.expandDims(group.mask, 2) : tf.ones([1, shape.queries, 1]);
  const whole = (tensor: Tensor) => wholeQueryBlocks(site, tensor, layout);
  return blockMeans(site, whole(group.query), whole(counted), layout.size).mean;
}
