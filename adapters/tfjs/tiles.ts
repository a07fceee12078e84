import { positionOffset } from '../../src/contract/shape.ts';
import type { Shape } from '../../src/contract/shape.ts';
import { cutOf } from './cut.ts';
import type { Cut } from './cut.ts';
import { headGroups, joinGroups, joinTensors } from './head-groups.ts';
import type { HeadGroup } from './head-groups.ts';
import type { Call, Site, Tensor } from './kernel.ts';
import { biasOfMask, leastScore, maskedScore } from './selection.ts';

/** A tile of queries and the keys that it reads. */
export interface Tile {
  /** The first query. */
  readonly first: number;
  readonly rows: number;
  /** The position of the first query on the keys' axis; negative where queries outnumber keys. */
  readonly position: number;
}

/** What a tile adds to its scores, and which of its rows see a key at all. */
export interface TileBias {
  /** `[1 or size, rows, columns]`; undefined where every pair counts. */
  readonly bias: Tensor | undefined;
  /** f32 `[1 or size, rows, 1]`, 0 for rows that see no key; undefined where each sees one. */
  readonly seen: Tensor | undefined;
}

/** A group with what tiles cut from. */
export interface TiledGroup {
  readonly group: HeadGroup;
  /** The query times the scale, `[size, queries, headDim]`. */
  readonly query: Cut;
  /** `[size, headDim, keys]`. */
  readonly keyTransposed: Cut;
  /** `[size, keys, headDim]`. */
  readonly value: Cut;
}

/** Tiles of `size` queries, the last one shorter. */
export function queryTiles(shape: Pick<Shape, 'queries' | 'keys'>, size: number): Tile[] {
  return Array.from({ length: Math.ceil(shape.queries / size) }, (_, index) => {
    const first = index * size;
    return { first, rows: Math.min(size, shape.queries - first), position: first + positionOffset(shape) };
  });
}

/** One past the last key that a tile reads: all keys, or, when causal, those up to its last query; one at least. */
export function tileEnd(shape: Pick<Shape, 'keys' | 'causal'>, tile: Tile): number {
  return shape.causal ? Math.max(1, Math.min(shape.keys, tile.position + tile.rows)) : shape.keys;
}

/** q·k products of one head when tiles of `size` queries read keys up to {@link tileEnd}. */
export function tiledPairs(shape: Pick<Shape, 'queries' | 'keys' | 'causal'>, size: number): number {
  return queryTiles(shape, size).reduce((sum, tile) => sum + tile.rows * tileEnd(shape, tile), 0);
}

/** Attention of one tile: `[size, rows, headDim]`. */
export type AttendTile = (tile: Tile) => Tensor;

/** A call that works tile by tile, each group of heads in turn: scores are of one tile and group at a time. */
export function overTiles(site: Site, size: number, begin: (group: TiledGroup) => AttendTile): Call {
  const { tf, shape } = site;
  const tiles = queryTiles(shape, size);
  return (tensors) => {
    const outputs = headGroups(site, tensors).map((group) =>
      tf.tidy(() => {
        const attendTile = begin(tiledGroup(site, group));
        const parts = tiles.map((tile) => tf.tidy(() => attendTile(tile)));
        return joinTensors(tf, parts, 1);
      }),
    );
    return joinGroups(site, outputs);
  };
}

export function tiledGroup(site: Site, group: HeadGroup): TiledGroup {
  const { tf, scale } = site;
  return {
    group,
    query: cutOf(site, tf.mul(group.query, scale)),
    keyTransposed: cutOf(site, tf.transpose(group.key, [0, 2, 1])),
    value: cutOf(site, group.value),
  };
}

/** Scores of a tile against keys [0, end): `[size, rows, end]`. */
export function tileScores({ tf }: Site, { query, keyTransposed }: TiledGroup, tile: Tile, end: number): Tensor {
  return tf.matMul(query.rows(tile.first, tile.rows), keyTransposed.columns(0, end));
}

/** Causality and padding of a tile against keys [0, end). */
export function tileBias(site: Site, { group }: TiledGroup, tile: Tile, end: number): TileBias {
  const { shape } = site;
  const causal = shape.causal ? causalBias(site, tile, end) : undefined;
  const padding = group.mask === undefined ? undefined : paddingBias(site, group.mask, 0, end);
  if (padding === undefined && causal !== undefined && positionOffset(shape) < 0) return { bias: causal, seen: seenRows(site, causal) };
  return padded(site, causal, padding);
}

/** A pattern in which every row sees a key, and padding beside it, which may hide them all. */
export function padded(site: Site, pattern: Tensor | undefined, padding: Tensor | undefined): TileBias {
  if (padding === undefined) return { bias: pattern, seen: undefined };
  const bias = pattern === undefined ? padding : site.tf.add(pattern, padding);
  return { bias, seen: seenRows(site, bias) };
}

/** The masked score for keys of padding: `[size, 1, columns]`. */
export function paddingBias({ tf }: Site, mask: Tensor, first: number, columns: number): Tensor {
  const [size = 1] = mask.shape;
  return tf.expandDims(biasOfMask(tf, tf.slice(mask, [0, first], [size, columns])), 1);
}

function causalBias({ tf }: Site, tile: Tile, end: number): Tensor {
  const bias = new Float32Array(tile.rows * end);
  for (let row = 0; row < tile.rows; row++) {
    bias.fill(maskedScore, row * end + Math.max(0, Math.min(end, tile.position + row + 1)), (row + 1) * end);
  }
  return tf.tensor3d(bias, [1, tile.rows, end]);
}

/** f32, 1 for rows whose `bias` leaves a key: `[…, rows, 1]`. */
export function seenRows({ tf }: Site, bias: Tensor): Tensor {
  return tf.cast(tf.greater(tf.max(bias, -1, true), leastScore), 'float32');
}

/** softmax(score + bias)·value, with zeros in rows that see nothing. */
export function attend({ tf }: Site, score: Tensor, { bias, seen }: TileBias, value: Tensor): Tensor {
  const weight = tf.softmax(bias === undefined ? score : tf.add(score, bias));
  const output = tf.matMul(weight, value);
  return seen === undefined ? output : tf.mul(output, seen);
}
