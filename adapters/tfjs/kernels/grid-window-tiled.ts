import { gridOf } from '../../../src/variants/grid-window/grid.ts';
import { boxAt, boxOffsets, boxPairs, gridTiles, rowOfToken, seenAlong, tokenAt } from '../../../src/variants/grid-window/tiles.ts';
import type { GridTiles } from '../../../src/variants/grid-window/tiles.ts';
import { cutOf } from '../cut.ts';
import type { Cut } from '../cut.ts';
import { headGroups, joinGroups, joinTensors } from '../head-groups.ts';
import type { Site, Tensor, TfjsKernel } from '../kernel.ts';
import { maskedScore } from '../selection.ts';
import { attend, padded, paddingBias } from '../tiles.ts';

/** Of {@link gridTiles}: what a box copies, and what each of its operations takes, whatever its size. */
const overhead = 48;

/** Some queries and the keys that they read; in a box of the grid the globals come first. */
interface Box {
  readonly queries: Int32Array;
  readonly keys: Int32Array;
  /** `[queries, keys]`: 0 or the masked score. */
  readonly bias: Float32Array;
}

/** Windows over a grid: boxes of queries against the box of keys that their windows cover, one after another. */
export const gridWindowTiled: TfjsKernel = {
  variant: 'grid-window',
  kernel: 'tiled',
  summary: 'boxes of the grid against the box of keys that their windows cover',
  selects: () => 'nothing',
  scoredPairs: (parameters, shape) => shape.batch * shape.heads * boxPairs(gridTiles(gridOf(parameters), overhead)),
  plan(site) {
    const { tf, scale } = site;
    const tiles = gridTiles(gridOf(site.parameters), overhead);
    const { globals } = tiles.grid;
    const order = Int32Array.from([...range(0, globals), ...rowOfToken(tiles).map((row) => globals + row)]);
    const boxes = [
      ...(globals === 0 ? [] : [globalsOf(site, globals)]),
      ...range(0, tiles.count).map((index) => boxOf(site, tiles, index)),
    ];
    return (tensors) => {
      const outputs = headGroups(site, tensors).map((group) =>
        tf.tidy(() => {
          const source = { query: cutOf(site, tf.mul(group.query, scale)), key: cutOf(site, group.key), value: cutOf(site, group.value) };
          const padding = group.mask && paddingBias(site, group.mask, 0, site.shape.keys);
          const parts = boxes.map((box) => tf.tidy(() => attended(site, source, padding, box)));
          return tf.gather(joinTensors(tf, parts, 1), tf.tensor1d(order, 'int32'), 1);
        }),
      );
      return joinGroups(site, outputs);
    };
  },
};

type Source = Readonly<Record<'query' | 'key' | 'value', Cut>>;

/** @param padding `[1 or size, 1, keys]`: 0 or the masked score; undefined where no key is padded */
function attended(site: Site, { query, key, value }: Source, padding: Tensor | undefined, box: Box): Tensor {
  const { tf } = site;
  const score = tf.matMul(query.at(box.queries), tf.transpose(key.at(box.keys), [0, 2, 1]));
  const pattern = tf.tensor3d(box.bias, [1, box.queries.length, box.keys.length]);
  const hidden = padding && tf.gather(padding, tf.tensor1d(box.keys, 'int32'), 2);
  return attend(site, score, padded(site, pattern, hidden), value.at(box.keys));
}

/** The globals, which see all. */
function globalsOf(site: Site, globals: number): Box {
  return boxWith(site, { queries: range(0, globals), keys: range(0, site.shape.keys) }, () => true);
}

function boxOf(site: Site, tiles: GridTiles, index: number): Box {
  const { grid, axes } = tiles;
  const { globals } = grid;
  const at = boxAt(tiles, index);
  const tokens = (part: 'starts' | 'firstKeys', extents: readonly number[]) => {
    const first = at.map((tile, axis) => axes[axis]![part][tile]!);
    return boxOffsets(grid, extents).map((offset) => globals + tokenAt(grid, first) + offset);
  };
  const queries = tokens(
    'starts',
    axes.map(({ extent }) => extent),
  );
  const keys = [
    ...range(0, globals),
    ...tokens(
      'firstKeys',
      axes.map(({ span }) => span),
    ),
  ];
  const seen = seenInBox(tiles, at);
  return boxWith(site, { queries, keys }, (row, column) => column < globals || seen(row, column - globals));
}

function boxWith(
  { shape: { causal } }: Site,
  { queries, keys }: { queries: readonly number[]; keys: readonly number[] },
  seen: (row: number, column: number) => boolean,
): Box {
  const bias = Float32Array.from({ length: queries.length * keys.length }, (_, cell) => {
    const [row, column] = [Math.floor(cell / keys.length), cell % keys.length];
    return seen(row, column) && (!causal || keys[column]! <= queries[row]!) ? 0 : maskedScore;
  });
  return { queries: Int32Array.from(queries), keys: Int32Array.from(keys), bias };
}

/** Whether a query of a box sees a key of it, by every axis. */
function seenInBox({ axes }: GridTiles, at: readonly number[]): (row: number, column: number) => boolean {
  const innermostFirst = axes.map((axis, place) => ({ ...axis, seen: seenAlong(axis, at[place]!) })).toReversed();
  return (row, column) => {
    let [rows, columns] = [row, column];
    return innermostFirst.every(({ extent, span, seen }) => {
      const isSeen = seen[(rows % extent) * span + (columns % span)]!;
      [rows, columns] = [Math.floor(rows / extent), Math.floor(columns / span)];
      return isSeen;
    });
  };
}

function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}
