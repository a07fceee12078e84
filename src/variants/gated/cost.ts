import { positionOffset } from '../../contract/shape.ts';
import type { Shape } from '../../contract/shape.ts';
import type { Work } from '../../contract/variant.ts';
import { blockCount } from '../blocks.ts';
import { allowedEnd } from '../head-view.ts';
import { densePairsPerHead, sumOverQueries, workOf } from '../work.ts';
import { defaultGateRank, gatesQueries } from './parameters.ts';
import type { GatedParameters } from './parameters.ts';
import { openCounter } from './selection.ts';

/**
 * Work of gated attention. The gate's arithmetic is 2·headDim·rank for each vector projected (with `block`, the blocks'
 * means and first queries) and 2·rank for each gate; means, and vectors times their gate, cost one FLOP an element. Not causal and with a last
 * block that is shorter, `sparsity` may drop it or a whole one: the count is then that of the longest blocks, an upper bound.
 */
export function gatedCost(parameters: GatedParameters, shape: Shape): Work {
  const rank = parameters.rank ?? defaultGateRank(shape.headDim);
  const heads = shape.batch * shape.heads;
  const counted = countsOf(parameters, shape);
  const projections = 2 * shape.headDim * rank * counted.projected;
  return workOf(shape, {
    scoredPairs: heads * counted.scored,
    weightedPairs: heads * counted.weighted,
    extraFlops: heads * (projections + 2 * rank * counted.gates + counted.vectorFlops),
    extraElements: shape.heads * ((gatesQueries(parameters.form) ? 1 : 2) * shape.headDim * rank + 1),
  });
}

function countsOf(parameters: GatedParameters, shape: Shape): GatedCounts {
  if (gatesQueries(parameters.form)) return queryWork(parameters, shape);
  return parameters.block === 1 ? pairWork(parameters, shape) : blockWork(parameters, shape);
}

/** Counts of one head. */
interface GatedCounts {
  readonly scored: number;
  readonly weighted: number;
  readonly projected: number;
  readonly gates: number;
  /** Of means, or of vectors times their gate. */
  readonly vectorFlops: number;
}

/** Closed queries cost nothing but their gate. With `sparsity` it is not causal, and every open query sees all keys. */
function queryWork(parameters: GatedParameters, shape: Shape): GatedCounts {
  const { queries, keys, headDim } = shape;
  const open = openCounter(parameters)(queries);
  const pairs = open === queries ? densePairsPerHead(shape) : open * keys;
  return { scored: pairs, weighted: pairs, projected: queries, gates: queries, vectorFlops: headDim * open };
}

function pairWork(parameters: GatedParameters, shape: Shape): GatedCounts {
  const open = openCounter(parameters);
  const pairs = densePairsPerHead(shape);
  const weighted = sumOverQueries(shape, (query) => open(allowedEnd(shape, query)));
  return { scored: pairs, weighted, projected: shape.queries + shape.keys, gates: pairs, vectorFlops: 0 };
}

function blockWork(parameters: GatedParameters, shape: Shape): GatedCounts {
  const { block } = parameters;
  const { keys, queries, headDim, causal } = shape;
  const open = openCounter(parameters);
  const offset = positionOffset(shape);
  const blocks = blockCount(keys, block);
  const weighted = sumOverQueries(shape, (query) => {
    const diagonal = Math.floor((query + offset) / block);
    if (causal) return open(diagonal) * block + query + offset + 1 - diagonal * block;
    const others = open(blocks - 1);
    const short = blocks * block - keys;
    const takesShort = diagonal === blocks - 1 || others === blocks - 1;
    return (others + 1) * block - (takesShort ? short : 0);
  });
  const firstBlock = Math.floor(offset / block);
  let gates = 0;
  for (let index = firstBlock; index < blocks; index++) gates += causal ? index : blocks - 1;
  const vectorFlops = headDim * (keys + (causal ? 0 : queries));
  return { scored: weighted, weighted, projected: 2 * blocks - firstBlock, gates, vectorFlops };
}
