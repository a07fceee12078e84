import { kvHeadOf, positionOffset } from '../../contract/shape.ts';
import type { Shape } from '../../contract/shape.ts';
import type { Work } from '../../contract/variant.ts';
import { windowEnd, windowStart } from '../window/span.ts';
import { sumOverQueries, workOf } from '../work.ts';
import { dealHeads } from './deal-heads.ts';
import type { HierarchicalParameters } from './parameters.ts';
import { globalReach, regionalReach } from './reach.ts';
import type { Reach } from './reach.ts';

/**
 * Work of hierarchical attention: each row scores just what it weighs, a pooled block as one pair. Means of keys and
 * values cost one FLOP an element read, once for each level that a key/value head serves.
 */
export function hierarchicalCost(parameters: HierarchicalParameters, shape: Shape): Work {
  const [local, regional, global] = dealHeads(shape.heads, parameters.ratio);
  const offset = positionOffset(shape);
  const width = parameters.local;
  const localPairs = sumOverQueries(shape, (i) => windowEnd(shape, i + offset, width) - windowStart(shape, i + offset, width));
  const regionalPairs = pooledPairs(regionalReach(parameters, shape), shape);
  const globalPairs = pooledPairs(globalReach(parameters, shape), shape);
  const pairs = shape.batch * (local * localPairs + regional * regionalPairs + global * globalPairs);
  const pooledHeads = kvHeadsRead(shape, local, local + regional) + kvHeadsRead(shape, local + regional, shape.heads);
  const extraFlops = shape.batch * pooledHeads * 2 * shape.keys * shape.headDim;
  return workOf(shape, { scoredPairs: pairs, weightedPairs: pairs, extraFlops });
}

function pooledPairs(reach: Reach, shape: Shape): number {
  const offset = positionOffset(shape);
  return sumOverQueries(shape, (query) => {
    const position = query + offset;
    const ownStart = Math.floor(position / reach.block) * reach.block;
    const ownEnd = shape.causal ? position + 1 : Math.min(shape.keys, ownStart + reach.block);
    return ownEnd - ownStart + reach.end(position) - reach.first(position) - 1;
  });
}

/** Different key/value heads that query heads [start, end) read. */
function kvHeadsRead(shape: Shape, start: number, end: number): number {
  return start >= end ? 0 : kvHeadOf(shape, end - 1) - kvHeadOf(shape, start) + 1;
}
