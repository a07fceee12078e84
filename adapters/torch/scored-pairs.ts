import { positionOffset } from '../../src/contract/shape.ts';
import type { Shape } from '../../src/contract/shape.ts';
import type { Parameters } from '../../src/contract/variant.ts';
import { blockCount } from '../../src/variants/blocks.ts';
import { openCounter } from '../../src/variants/gated/selection.ts';
import { gatedParameters, gatesQueries } from '../../src/variants/gated/parameters.ts';
import { gridOf } from '../../src/variants/grid-window/grid.ts';
import { gridTiles } from '../../src/variants/grid-window/tiles.ts';
import { dealHeads, readRatio } from '../../src/variants/hierarchical/deal.ts';
import { linearSettings } from '../../src/variants/linear/parameters.ts';
import { readParameters } from '../../src/variants/parameter-types.ts';
import { windowSpan } from '../../src/variants/window/span.ts';

// How many q·k products the worker's kernels compute in one call, masked ones and those of padded blocks too: they follow from the
// tiles and chunks that worker/attnswap_torch/kernels/ cuts.

/** Queries of a tile. */
const tileRows = 128;
/** Positions of a chunk of linear attention. */
const linearChunk = 64;
/** Logits that one batched product over chunks of blocks may hold. */
const largestChunk = 2 ** 20;

/** What a box of a grid costs beside its products, in rows and columns. */
export const boxOverhead = 16;

/** Keys of a block of scaled_dot_product_attention on processors. */
const fusedKeys = 512;
/** Queries and keys of a block of flex_attention. */
const flexBlock = 128;

/**
 * scaled_dot_product_attention's fused path on processors with its causal flag: blocks of 256, 64 or 32 queries, by how many there are, against
 * whole blocks of keys up to the one that holds the block's last query (PyTorch's FlashAttentionKernel.cpp).
 */
export function fusedCausalPairs({ batch, heads, queries, keys }: Shape): number {
  const size = queries >= 768 ? 256 : queries >= 192 ? 64 : 32;
  let pairs = 0;
  for (let start = 0; start < queries; start += size) {
    const stop = Math.min(queries, start + size);
    pairs += (stop - start) * Math.min(keys, Math.ceil(Math.min(stop, keys) / fusedKeys) * fusedKeys);
  }
  return batch * heads * pairs;
}

/** flex_attention: every block of 128 × 128 that holds a pair of the mask, whole. Without a window every pair is in it that causality allows. */
export function flexPairs(shape: Shape, window?: { readonly w: number; readonly globals: number }): number {
  const { batch, heads, queries, keys, causal } = shape;
  const { left, right } = window === undefined ? { left: Infinity, right: causal ? 0 : Infinity } : windowSpan(window.w, causal);
  const globals = window?.globals ?? 0;
  let pairs = 0;
  for (let start = 0; start < queries; start += flexBlock) {
    const rows = Math.min(flexBlock, queries - start);
    const first = start + positionOffset(shape);
    const last = first + rows - 1;
    for (let key = 0; key < keys; key += flexBlock) {
      const end = Math.min(key + flexBlock, keys) - 1;
      const isNear = end >= first - left && key <= last + right;
      const isSeen = isNear || ((key < globals || first < globals) && (!causal || key <= last));
      if (isSeen) pairs += rows * (end - key + 1);
    }
  }
  return batch * heads * pairs;
}

/** Tiles of queries against every key that causality lets the tile's last query see; only the first `rows` queries, of `heads` heads. */
export function tiledPairs(shape: Shape, { rows = shape.queries, heads = shape.heads } = {}): number {
  const { batch, keys, causal } = shape;
  let pairs = 0;
  for (let start = 0; start < rows; start += tileRows) {
    const stop = Math.min(rows, start + tileRows);
    const end = causal ? Math.max(0, Math.min(keys, stop + positionOffset(shape))) : keys;
    pairs += (stop - start) * end;
  }
  return batch * heads * pairs;
}

/** Whole blocks of queries against their span and the global keys; global rows are computed again, against all. */
export function windowPairs(w: number, globals: number, shape: Shape, heads: number = shape.heads): number {
  const { batch, queries, keys, causal } = shape;
  const size = Math.min(128, Math.max(16, 2 ** Math.floor(Math.log2(w))));
  const reach = causal ? w - 1 : 2 * Math.floor(w / 2);
  const width = Math.min(keys, size + reach) + Math.min(globals, keys);
  const globalRows = Math.max(0, Math.min(queries, globals - positionOffset(shape)));
  return batch * heads * queryBlocks(shape, size) * size * width + tiledPairs(shape, { rows: globalRows, heads });
}

/** Whole boxes of the grid against theirs of keys and the globals; rows of the globals against all. */
export function gridWindowPairs(parameters: Parameters, shape: Shape): number {
  const { grid, count, rows, columns } = gridTiles(gridOf(parameters), boxOverhead);
  return shape.batch * shape.heads * count * rows * (columns + grid.globals) + tiledPairs(shape, { rows: grid.globals });
}

/** Every pair once where each has its gate; by block, whole blocks; of gated queries the open ones. With `tau` as if every gate were open. */
export function gatedPairs(parameters: Parameters, shape: Shape): number {
  const read = readParameters('gated', gatedParameters, parameters);
  if (gatesQueries(read.form)) return tiledPairs(shape, { rows: openCounter(read)(shape.queries) });
  if (read.block === 1) return tiledPairs(shape);
  const open = openCounter(read);
  const total = blockCount(shape.keys, read.block);
  return chosenPairs(shape, read.block, (last) => Math.min(total, 1 + open(shape.causal ? last : total - 1)));
}

/** Whole blocks, and one product for each block of queries and block of keys. */
export function blockTopkPairs(parameters: Parameters, shape: Shape): number {
  const size = Number(parameters['block']);
  const total = blockCount(shape.keys, size);
  const widest = (last: number) => Math.min(Number(parameters['blocks']), shape.causal ? last + 1 : total);
  return chosenPairs(shape, size, widest) + shape.batch * shape.heads * queryBlocks(shape, size) * total;
}

/** Chunks of query blocks, each as wide as its last block needs. `widest(last)`: blocks that any up to `last` chooses. */
function chosenPairs(shape: Shape, size: number, widest: (last: number) => number): number {
  const { batch, heads } = shape;
  const count = queryBlocks(shape, size);
  const first = Math.floor(positionOffset(shape) / size);
  const chunk = Math.max(1, Math.floor(largestChunk / (batch * heads * size * size * widest(first + count - 1))));
  let pairs = 0;
  for (let start = 0; start < count; start += chunk) {
    const stop = Math.min(count, start + chunk);
    pairs += (stop - start) * size * size * widest(first + stop - 1);
  }
  return batch * heads * pairs;
}

/** Local heads by windows; the others by whole regions: their own blocks exactly, and the means of three regions or of all. */
export function hierarchicalPairs(parameters: Parameters, shape: Shape): number {
  const local = Number(parameters['local']);
  const region = Number(parameters['region']);
  const [localHeads = 0, regionalHeads = 0, globalHeads = 0] = dealHeads(shape.heads, readRatio(String(parameters['ratio'])));
  const regions = blockCount(shape.keys, region);
  const rows = queryBlocks(shape, region) * region;
  const regional = local + Math.min(regions, 3) * (region / local);
  const pooled = shape.batch * rows * (regionalHeads * regional + globalHeads * (region + regions));
  return pooled + (localHeads === 0 ? 0 : windowPairs(local, 0, shape, localHeads));
}

/** Whole chunks of positions, against themselves; none where every query reads one state. */
export function linearPairs(parameters: Parameters, { batch, heads, keys, causal }: Shape): number {
  const isOneState = linearSettings(parameters).rule === 'linear' && !causal;
  return isOneState ? 0 : batch * heads * blockCount(keys, linearChunk) * linearChunk ** 2;
}

/** Blocks of positions that hold a query. */
function queryBlocks(shape: Shape, size: number): number {
  return blockCount(shape.keys, size) - Math.floor(positionOffset(shape) / size);
}
