import { positionOffset } from '../../contract/shape.ts';
import type { Shape } from '../../contract/shape.ts';
import type { Work } from '../../contract/variant.ts';
import { blockCount } from '../blocks.ts';
import { sumOverQueries, workOf } from '../work.ts';

/**
 * Work of block selection: the kept pairs, and one scored pair for each query block and key block that it may see.
 * Means cost one FLOP an element read. Not causal and with a last block that is shorter, the selection may keep it or a
 * whole one: the count is then that of the longest blocks, an upper bound.
 */
export function blockTopkCost(block: number, blocks: number, shape: Shape): Work {
  const { keys, queries, headDim, causal } = shape;
  const offset = positionOffset(shape);
  const total = blockCount(keys, block);
  const kept = Math.min(blocks, total);
  const short = total * block - keys;
  const weighted = sumOverQueries(shape, (query) => {
    const own = Math.floor((query + offset) / block);
    if (causal) return Math.min(blocks - 1, own) * block + query + offset + 1 - own * block;
    const takesShort = own === total - 1 || kept === total;
    return kept * block - (takesShort ? short : 0);
  });
  let blockPairs = 0;
  for (let index = Math.floor(offset / block); index < total; index++) blockPairs += causal ? index + 1 : total;
  const heads = shape.batch * shape.heads;
  const scored = heads * (weighted + blockPairs);
  const meanFlops = headDim * (shape.batch * shape.kvHeads * keys + (causal ? 0 : heads * queries));
  return workOf(shape, { scoredPairs: scored, weightedPairs: heads * weighted, extraFlops: meanFlops });
}
