import { axisWindow, placeOf, productOf, stridesOf } from './grid.ts';
import type { Axis, Grid } from './grid.ts';

/** An axis cut into tiles of equal extent; the last one begins earlier where they do not divide it. */
export interface TiledAxis extends Axis {
  /** Queries of a tile. */
  readonly extent: number;
  /** Keys that its windows cover. */
  readonly span: number;
  /** First query and first key of each tile. */
  readonly starts: readonly number[];
  readonly firstKeys: readonly number[];
}

/** A grid cut into boxes of queries, each with the box of keys that their windows cover. */
export interface GridTiles {
  readonly grid: Grid;
  readonly axes: readonly TiledAxis[];
  /** Boxes in all. */
  readonly count: number;
  /** Queries of a box. */
  readonly rows: number;
  /** Keys of a box, globals aside. */
  readonly columns: number;
}

/**
 * The extents that cost least where a box of r queries and s keys takes as long as (r + `overhead`)·(s + `overhead`) products of one head: what is
 * copied, and what every box takes whatever its size.
 */
export function gridTiles(grid: Grid, overhead: number): GridTiles {
  let best: { readonly cost: number; readonly tiles: GridTiles } | undefined;
  for (const axes of combinations(grid.axes.map(optionsOf))) {
    const count = productOf(axes.map(({ starts }) => starts.length));
    const [rows, columns] = [productOf(axes.map(({ extent }) => extent)), productOf(axes.map(({ span }) => span))];
    const cost = count * (rows + overhead) * (columns + overhead);
    if (best === undefined || cost < best.cost) best = { cost, tiles: { grid, axes, count, rows, columns } };
  }
  return best!.tiles;
}

/** Every way to cut an axis into tiles of different extent, the largest first. */
function optionsOf(axis: Axis): TiledAxis[] {
  const { size } = axis;
  const extents = new Set(Array.from({ length: size }, (_, index) => Math.ceil(size / (index + 1))));
  return [...extents].map((extent) => {
    const span = Math.min(size, extent + axis.w - 1);
    const starts = Array.from({ length: Math.ceil(size / extent) }, (_, index) => Math.min(index * extent, size - extent));
    const firstKeys = starts.map((start) => Math.min(axisWindow(axis, start).start, size - span));
    return { ...axis, extent, span, starts, firstKeys };
  });
}

function combinations(options: ReadonlyArray<readonly TiledAxis[]>): TiledAxis[][] {
  return options.reduce<TiledAxis[][]>((chosen, own) => chosen.flatMap((axes) => own.map((axis) => [...axes, axis])), [[]]);
}

/** The tile of each axis that box `index` is made of, the last axis innermost. */
export function boxAt({ axes }: GridTiles, index: number): number[] {
  return placeOf(
    axes.map(({ starts }) => starts.length),
    index,
  );
}

/** Tokens of a box, row by row, relative to its first. */
export function boxOffsets(grid: Grid, extents: readonly number[]): number[] {
  const strides = stridesOf(grid);
  return extents.reduce<number[]>(
    (offsets, extent, axis) => offsets.flatMap((offset) => Array.from({ length: extent }, (_, index) => offset + index * strides[axis]!)),
    [0],
  );
}

/** The token, counted after the globals, at a place of the grid. */
export function tokenAt(grid: Grid, place: readonly number[]): number {
  return stridesOf(grid).reduce((token, stride, axis) => token + stride * place[axis]!, 0);
}

/** For each token of the grid, its row among the rows of all boxes, one box after the other. */
export function rowOfToken({ grid, axes, rows }: GridTiles): number[] {
  const sizes = axes.map(({ size }) => size);
  return Array.from({ length: grid.tokens - grid.globals }, (_, token) => {
    let [box, row] = [0, 0];
    for (const [axis, position] of placeOf(sizes, token).entries()) {
      const { extent, starts } = axes[axis]!;
      const tile = Math.floor(position / extent);
      box = box * starts.length + tile;
      row = row * extent + position - starts[tile]!;
    }
    return box * rows + row;
  });
}

/** Whether each query of a tile of an axis sees each of its keys: `[extent, span]`, row by row. */
export function seenAlong({ starts, firstKeys, extent, span, ...axis }: TiledAxis, tile: number): boolean[] {
  const [firstQuery, firstKey] = [starts[tile]!, firstKeys[tile]!];
  return Array.from({ length: extent * span }, (_, cell) => {
    const { start, end } = axisWindow(axis, firstQuery + Math.floor(cell / span));
    const key = firstKey + (cell % span);
    return key >= start && key < end;
  });
}

/** q·k products of one head: of every box with its keys and the globals, and of the globals with all. */
export function boxPairs({ grid, count, rows, columns }: GridTiles): number {
  return count * rows * (columns + grid.globals) + grid.globals * grid.tokens;
}
