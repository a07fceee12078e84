import { kvHeadOf, positionOffset } from '../../contract/shape.ts';
import type { Shape } from '../../contract/shape.ts';
import type { HeadRows, Row, Variant } from '../../contract/variant.ts';
import { blockCount, poolBlocks } from '../blocks.ts';
import type { PooledBlocks } from '../blocks.ts';
import { allowedEnd, appendKeys, clearRow, viewHead } from '../head-view.ts';
import type { HeadView } from '../head-view.ts';
import { dotAt } from '../key-products.ts';
import { field, parameterObject, readParameters, wholeNumber, withDefault } from '../parameter-types.ts';
import { windowEnd, windowStart } from '../window/span.ts';
import { refusePositions, sumOverQueries, workOf } from '../work.ts';
import { dealHeads, levelOf, readRatio } from './deal.ts';
import type { Level } from './deal.ts';

const ratio = field<string>(
  "three whole numbers like '4:3:1', not all zero",
  (given) => typeof given === 'string' && /^\d{1,6}:\d{1,6}:\d{1,6}$/.test(given) && readRatio(given).some((part) => part > 0),
);
const parameters = parameterObject(
  { local: withDefault(wholeNumber(1), 8), region: withDefault(wholeNumber(1), 32), ratio: withDefault(ratio, '4:3:1') },
  ({ local, region }) => (region % local === 0 ? undefined : 'region must be a multiple of local'),
);

interface Sizes {
  readonly local: number;
  readonly region: number;
}

/** The blocks (of `size`) that stand as one key each for `position`: all of [first, end) but the one at `own`. */
interface PooledSpan {
  readonly first: number;
  readonly end: number;
  readonly own: number;
}

/** Local, regional and global heads: near keys exactly, far ones as blocks' means (after H-Transformer-1D: Zhu and Soricut 2021). */
export const hierarchical: Variant = {
  name: 'hierarchical',
  summary: 'local, regional and global heads; distant keys are pooled as means',
  parameters,
  refuses: (_parameters, shape) => refusePositions('hierarchical', shape),
  cost(given, shape) {
    const read = readParameters('hierarchical', parameters, given);
    const [local = 0, regional = 0, global = 0] = dealHeads(shape.heads, readRatio(read.ratio));
    const pairs = (level: Level) => sumOverQueries(shape, (query) => entriesSeen(shape, query + positionOffset(shape), level, read));
    const perBatch = local * pairs('local') + regional * pairs('regional') + global * pairs('global');
    const pooledHeads = kvHeadsRead(shape, local, local + regional) + kvHeadsRead(shape, local + regional, shape.heads);
    const meansFlops = shape.batch * pooledHeads * 2 * shape.keys * shape.headDim;
    return workOf(shape, { scoredPairs: shape.batch * perBatch, weightedPairs: shape.batch * perBatch, extraFlops: meansFlops });
  },
  rows(inputs, given, at) {
    const read = readParameters('hierarchical', parameters, given);
    const view = viewHead(inputs, at);
    const level = levelOf(at.head, inputs.shape.heads, readRatio(read.ratio));
    return level === 'local' ? localRows(view, read) : pooledRows(view, level, read);
  },
};

/** Different key/value heads that query heads [start, end) read: each has its means made once a level, one FLOP an element. */
function kvHeadsRead(shape: Shape, start: number, end: number): number {
  return start >= end ? 0 : kvHeadOf(shape, end - 1) - kvHeadOf(shape, start) + 1;
}

function localRows(view: HeadView, { local }: Sizes): HeadRows {
  return {
    pools: [],
    fill(query, row) {
      clearRow(row);
      const position = query + view.offset;
      appendKeys(view, query, windowStart(view.shape, position, local), windowEnd(view.shape, position, local), row);
    },
  };
}

function pooledRows(view: HeadView, level: Exclude<Level, 'local'>, sizes: Sizes): HeadRows {
  const size = level === 'regional' ? sizes.local : sizes.region;
  const pooled = poolBlocks(view, size);
  return {
    pools: pooled.pools,
    fill(query, row) {
      clearRow(row);
      const span = pooledSpan(view.shape, query + view.offset, level, sizes);
      appendPools(view, query, pooled, { first: span.first, end: Math.min(span.own, span.end) }, row);
      appendKeys(view, query, span.own * size, Math.min((span.own + 1) * size, allowedEnd(view.shape, query)), row);
      appendPools(view, query, pooled, { first: span.own + 1, end: span.end }, row);
    },
  };
}

function pooledSpan(shape: Shape, position: number, level: Exclude<Level, 'local'>, { local, region }: Sizes): PooledSpan {
  const home = Math.floor(position / region);
  if (level === 'global') return { first: 0, end: shape.causal ? home : blockCount(shape.keys, region), own: home };
  const own = Math.floor(position / local);
  const perRegion = region / local;
  const end = shape.causal ? own : Math.min((home + 2) * perRegion, blockCount(shape.keys, local));
  return { first: Math.max(0, (home - 1) * perRegion), end, own };
}

function appendPools(view: HeadView, query: number, pooled: PooledBlocks, span: { first: number; end: number }, row: Row): void {
  const { headDim, keys } = view.shape;
  for (let index = span.first; index < span.end; index++) {
    const pool = pooled.poolOf[index]!;
    if (pool < 0) continue;
    row.key[row.length] = keys + pool;
    const logit = view.scale * dotAt(view.query, query * headDim, pooled.key, index * headDim, headDim);
    row.logit[row.length++] = logit + Math.log(pooled.pools[pool]!.tokens);
  }
}

function entriesSeen(shape: Shape, position: number, level: Level, sizes: Sizes): number {
  if (level === 'local') return windowEnd(shape, position, sizes.local) - windowStart(shape, position, sizes.local);
  const size = level === 'regional' ? sizes.local : sizes.region;
  const { first, end, own } = pooledSpan(shape, position, level, sizes);
  const exact = Math.min((own + 1) * size, shape.causal ? position + 1 : shape.keys) - own * size;
  return exact + (end - first) - (own >= first && own < end ? 1 : 0);
}
