import type { GraphBuilder, Value } from '../../src/model/graph/graph-builder.ts';
import { elementTypes } from '../../src/model/graph/element-types.ts';
import { ceilDivide, range, shape, vector } from './tiles.ts';

/**
 * Tiles of queries, each of one head, several at once in every run of a loop. What a run reads is gathered row by row from tensors that lie as
 * they came: nothing is repeated for grouped heads, padded to whole tiles or transposed first, and a run's scores stay in the caches.
 */
export interface TileRuns {
  /** int64 scalar. */
  readonly count: Value;
  /** int64 `[runs, at once]`: batch element · heads + head. */
  readonly head: Value;
  /** int64 `[runs, at once]`: number of the tile within its head. */
  readonly tile: Value;
  /** The place of tiles in the order of the runs, from int64 heads and tiles. */
  readonly place: (graph: GraphBuilder, head: Value, tile: Value) => Value;
}

interface Tiles {
  /** int64 scalar: batch · heads. */
  readonly heads: Value;
  /** int64 scalar: tiles of each head. */
  readonly tiles: Value;
}

/** int64 scalar: batch · heads. */
export function allHeads(graph: GraphBuilder, query: Value, heads: number): Value {
  return graph.op('Mul', [graph.op('Squeeze', [graph.sizes(query, 0, 1)]), graph.int(heads)]);
}

/** One head after another, `most` tiles at once: a head's keys are read while they are in the caches. */
export function runsByHead(graph: GraphBuilder, { heads, tiles }: Tiles, most: number): TileRuns {
  const all = graph.op('Mul', [heads, tiles]);
  const count = ceilDivide(graph, all, most);
  const atOnce = ceilDivide(graph, all, count);
  const last = graph.op('Sub', [all, graph.int(1)]);
  const listed = range(graph, graph.op('Mul', [count, atOnce]));
  const number = graph.op('Reshape', [graph.op('Min', [listed, last]), shape(graph, [count, atOnce])]);
  return {
    count,
    head: graph.op('Div', [number, tiles]),
    tile: graph.op('Mod', [number, tiles]),
    place: (inner, head, tile) => inner.op('Add', [inner.op('Mul', [head, tiles]), tile]),
  };
}

/** The same tile of `atOnce` heads (int64 scalar) in every run. */
export function runsByTile(graph: GraphBuilder, { heads, tiles }: Tiles, atOnce: Value): TileRuns {
  const count = graph.op('Mul', [ceilDivide(graph, heads, atOnce), tiles]);
  const run = graph.op('Unsqueeze', [range(graph, count), graph.int([1])]);
  const first = graph.op('Mul', [graph.op('Div', [run, tiles]), atOnce]);
  const listed = graph.op('Add', [first, range(graph, atOnce)]);
  return {
    count,
    head: graph.op('Min', [listed, graph.op('Sub', [heads, graph.int(1)])]),
    tile: graph.op('Expand', [graph.op('Mod', [run, tiles]), shape(graph, [count, atOnce])]),
    place: (inner, head, tile) => {
      const group = inner.op('Add', [inner.op('Mul', [inner.op('Div', [head, atOnce]), tiles]), tile]);
      return inner.op('Add', [inner.op('Mul', [group, atOnce]), inner.op('Mod', [head, atOnce])]);
    },
  };
}

/** A tensor `[batch, heads, n, headDim]` as rows `[batch·heads·n, headDim]`, which copies nothing. */
export function rowsOf(graph: GraphBuilder, tensor: Value, headDim: number): Value {
  return graph.op('Reshape', [tensor, graph.int([-1, headDim])]);
}

/** The rows at int64 `index` `[at once, …]` of each head, whose tensors hold `length` rows each: `[at once, …, headDim]`. */
export function rowsAt(graph: GraphBuilder, rows: Value, at: { head: Value; length: Value; index: Value; axes: number }): Value {
  const axes = Array.from({ length: at.axes }, (_, axis) => axis + 1);
  const base = graph.op('Unsqueeze', [graph.op('Mul', [at.head, at.length]), graph.int(axes)]);
  return graph.op('Gather', [rows, graph.op('Add', [base, at.index])], { axis: 0 });
}

/** A tensor `[batch, heads, n, headDim]` as pieces of `size` rows where n is a multiple of it, else of one row: `[pieces, rows·headDim]`, no copy. */
export interface Pieces {
  readonly tensor: Value;
  /** int64 scalar: rows of each piece. */
  readonly rows: Value;
  /** int64 scalar: pieces of each head. */
  readonly count: Value;
  /** int64 vector 0 … pieces of a block − 1. */
  readonly within: Value;
  readonly headDim: number;
}

export function piecesOf(graph: GraphBuilder, tensor: Value, length: Value, size: number, headDim: number): Pieces {
  const isWhole = graph.op('Equal', [graph.op('Mod', [length, graph.int(size)]), graph.int(0)]);
  const rows = graph.op('Add', [
    graph.int(1),
    graph.op('Mul', [graph.op('Cast', [isWhole], { to: elementTypes.i64 }), graph.int(size - 1)]),
  ]);
  const width = graph.op('Mul', [rows, graph.int(headDim)]);
  return {
    tensor: graph.op('Reshape', [tensor, shape(graph, [-1, width])]),
    rows,
    count: graph.op('Div', [length, rows]),
    within: range(graph, graph.op('Div', [graph.int(size), rows])),
    headDim,
  };
}

/** int64 `[at once, pieces]`: the pieces of blocks of `size` rows, int64 `[at once, blocks]`, in each head; past the last piece, that one. */
export function piecesAt(graph: GraphBuilder, pieces: Pieces, block: Value, head: Value, size: number): Value {
  const first = graph.op('Unsqueeze', [graph.op('Mul', [block, graph.op('Div', [graph.int(size), pieces.rows])]), graph.int([2])]);
  const listed = graph.op('Reshape', [graph.op('Add', [first, pieces.within]), graph.int([0, -1])]);
  const inside = graph.op('Min', [listed, graph.op('Sub', [pieces.count, graph.int(1)])]);
  return graph.op('Add', [graph.op('Unsqueeze', [graph.op('Mul', [head, pieces.count]), graph.int([1])]), inside]);
}

/** The rows of pieces: `[at once, rows, headDim]`. */
export function rowsOfPieces(graph: GraphBuilder, { tensor, headDim }: Pieces, index: Value): Value {
  const gathered = graph.op('Gather', [tensor, index], { axis: 0 });
  return graph.op('Reshape', [gathered, graph.op('Concat', [graph.sizes(index, 0, 1), graph.int([-1, headDim])], { axis: 0 })]);
}

/** Output rows of all runs, `[runs, at once, size, headDim]`, as `[batch, heads, queries, headDim]`; query 0 is row `lead` of tile 0. */
export function joinTiles(
  graph: GraphBuilder,
  stacked: Value,
  runs: TileRuns,
  at: { allHeads: Value; heads: number; queries: Value; size: Value; lead?: Value; headDim: number },
): Value {
  const query = range(graph, at.queries);
  const row = at.lead === undefined ? query : graph.op('Add', [query, at.lead]);
  const head = graph.op('Unsqueeze', [range(graph, at.allHeads), graph.int([1])]);
  const place = runs.place(graph, head, graph.op('Div', [row, at.size]));
  const index = graph.op('Add', [graph.op('Mul', [place, at.size]), graph.op('Mod', [row, at.size])]);
  const joined = graph.op('Gather', [rowsOf(graph, stacked, at.headDim), index], { axis: 0 });
  return graph.op('Reshape', [
    joined,
    graph.op('Concat', [graph.int([-1, at.heads]), vector(graph, at.queries), graph.int([at.headDim])], { axis: 0 }),
  ]);
}
