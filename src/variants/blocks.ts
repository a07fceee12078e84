import type { Pool } from '../contract/variant.ts';
import type { HeadView } from './head-view.ts';

/** The mean vector of each block of positions, in float64. */
export interface BlockMeans {
  /** Unpadded positions in each block, `[blocks]`. */
  readonly tokens: Int32Array;
  /** `[blocks, headDim]`; zeros where a block has no tokens. */
  readonly mean: Float64Array;
}

interface Vectors {
  /** `[count, headDim]`. */
  readonly data: Float32Array;
  /** The position of vector 0. */
  readonly offset: number;
  readonly mask: Uint8Array | undefined;
}

/** Blocks that `keys` positions are cut into; the last may be shorter. */
export function blockCount(keys: number, block: number): number {
  return Math.ceil(keys / block);
}

/** Mean keys of the blocks, over the unpadded keys. */
export function keyMeans(view: HeadView, block: number): BlockMeans {
  return meansByBlock(view, block, { data: view.key, offset: 0, mask: view.mask });
}

/** Mean values of the blocks, over the unpadded keys. */
export function valueMeans(view: HeadView, block: number): BlockMeans {
  return meansByBlock(view, block, { data: view.value, offset: 0, mask: view.mask });
}

/**
 * The query that speaks for each block of positions, `[blocks, headDim]`: the first one when causal, padded or not, so
 * that no later position is seen; else the mean, over the unpadded positions where queries and keys are equally many.
 */
export function blockQueries(view: HeadView, block: number): Float64Array {
  const { causal, queries, keys, headDim } = view.shape;
  if (!causal) {
    const mask = queries === keys ? view.mask : undefined;
    return meansByBlock(view, block, { data: view.query, offset: view.offset, mask }).mean;
  }
  const first = new Float64Array(blockCount(keys, block) * headDim);
  for (let index = Math.floor(view.offset / block); index * block < keys; index++) {
    const query = Math.max(index * block, view.offset) - view.offset;
    first.set(view.query.subarray(query * headDim, (query + 1) * headDim), index * headDim);
  }
  return first;
}

function meansByBlock(view: HeadView, block: number, vectors: Vectors): BlockMeans {
  const { keys, headDim } = view.shape;
  const tokens = new Int32Array(blockCount(keys, block));
  const mean = new Float64Array(tokens.length * headDim);
  const count = vectors.data.length / headDim;
  for (let i = 0; i < count; i++) {
    if (vectors.mask !== undefined && vectors.mask[i] === 0) continue;
    const index = Math.floor((vectors.offset + i) / block);
    tokens[index]!++;
    for (let m = 0; m < headDim; m++) mean[index * headDim + m]! += vectors.data[i * headDim + m]!;
  }
  for (let e = 0; e < mean.length; e++) mean[e]! /= Math.max(1, tokens[Math.floor(e / headDim)]!);
  return { tokens, mean };
}

/** The blocks that can stand as one key, and where each block's pool is. */
export interface PooledBlocks {
  readonly pools: readonly Pool[];
  /** `[blocks]`: index into `pools`, or −1 where a block is all padding. */
  readonly poolOf: Int32Array;
  /** `[blocks, headDim]`, float64. */
  readonly key: Float64Array;
}

/** Pools every block of `block` keys that holds an unpadded one. */
export function poolBlocks(view: HeadView, block: number): PooledBlocks {
  const { keys, headDim } = view.shape;
  const { tokens, mean: key } = keyMeans(view, block);
  const { mean: value } = valueMeans(view, block);
  const poolOf = new Int32Array(tokens.length).fill(-1);
  const pools: Pool[] = [];
  for (let index = 0; index < tokens.length; index++) {
    if (tokens[index] === 0) continue;
    poolOf[index] = pools.length;
    pools.push({
      start: index * block,
      end: Math.min(keys, (index + 1) * block),
      tokens: tokens[index]!,
      value: value.subarray(index * headDim, (index + 1) * headDim),
    });
  }
  return { pools, poolOf, key };
}
