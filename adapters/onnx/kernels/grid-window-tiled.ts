import { gridOf } from '../../../src/variants/grid-window/grid.ts';
import type { Grid } from '../../../src/variants/grid-window/grid.ts';
import { boxAt, boxOffsets, boxPairs, gridTiles, rowOfToken, seenAlong, tokenAt } from '../../../src/variants/grid-window/tiles.ts';
import type { GridTiles } from '../../../src/variants/grid-window/tiles.ts';
import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import { mayBeEmpty, withGlobalQueries } from '../global-queries.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import { addBiases, attend, biasWhereNegative, capped, range, scaled, scores, slice, toFloat } from '../tiles.ts';
import { keySource } from './dense-tiled.ts';

/** Of {@link gridTiles}: an iteration of the loop runs some twenty operators, and copies queries, keys and values. */
const overhead = 48;

/** A tensor whose grid is axes of its own from axis 2 on, and its tokens before the grid. */
interface Gridded {
  readonly grid: Value;
  readonly globals: Value | undefined;
  /** Of tokens, where the grid is no axes of its own. */
  readonly axis: 2 | 3;
}

/** How a tensor that is not cut yet holds tokens: `[batch, heads, …, tokens, …rest]`. */
interface Held {
  readonly axis: 2 | 3;
  readonly heads: number;
  readonly rest: readonly number[];
}

/** The tokens of the grid, `[batch, heads, …sizes, …rest]`. */
function inGrid(graph: GraphBuilder, tensor: Value, { grid }: GridTiles, { axis, heads, rest }: Held): Value {
  const tokens = grid.globals === 0 ? tensor : slice(graph, tensor, graph.int(grid.globals), graph.int(grid.tokens), axis);
  return graph.op('Reshape', [tokens, graph.int([0, heads, ...grid.axes.map(({ size }) => size), ...rest])]);
}

function gridded(graph: GraphBuilder, tensor: Value, tiles: GridTiles, held: Held): Gridded {
  const { globals } = tiles.grid;
  const before = globals === 0 ? undefined : slice(graph, tensor, graph.int(0), graph.int(globals), held.axis);
  return { grid: inGrid(graph, tensor, tiles, held), globals: before, axis: held.axis };
}

/** The boxes of the queries, or those of the keys. */
interface Boxes {
  readonly extents: readonly number[];
  /** The place of the first token of a box, int64 `[axes]`. */
  start(graph: GraphBuilder, box: Value): Value;
  /** The tokens of a box, row by row, int64. */
  tokens(graph: GraphBuilder, box: Value): Value;
}

function boxesOf(graph: GraphBuilder, tiles: GridTiles, part: 'queries' | 'keys'): Boxes {
  const { grid, axes } = tiles;
  const [firsts, extents] =
    part === 'queries'
      ? [axes.map(({ starts }) => starts), axes.map(({ extent }) => extent)]
      : [axes.map(({ firstKeys }) => firstKeys), axes.map(({ span }) => span)];
  const places = Array.from({ length: tiles.count }, (_, box) => boxAt(tiles, box).map((tile, axis) => firsts[axis]![tile]!));
  const starts = graph.op('Reshape', [graph.int(places.flat()), graph.int([-1, axes.length])]);
  return {
    extents,
    start: (body, box) => body.op('Gather', [starts, box], { axis: 0 }),
    tokens(body, box) {
      const first = body.op('Gather', [body.int(places.map((place) => grid.globals + tokenAt(grid, place))), box], { axis: 0 });
      return body.op('Add', [body.int(boxOffsets(grid, extents)), first]);
    },
  };
}

/** A box of a gridded tensor, in `shape`, after the globals where it has any. */
function boxOf(
  graph: GraphBuilder,
  { grid, globals, axis }: Gridded,
  { extents, start }: Boxes,
  box: Value,
  shape: readonly number[],
): Value {
  const first = start(graph, box);
  const axes = graph.int(extents.map((_, at) => at + 2));
  const inside = graph.op('Slice', [grid, first, graph.op('Add', [first, graph.int(extents)]), axes]);
  const own = graph.op('Reshape', [inside, graph.int(shape)]);
  return globals === undefined ? own : graph.op('Concat', [globals, own], { axis });
}

/** −1 where an axis hides a key from a query, else 0, f32 `[tiles of the axis, 1 …, extent, 1 …, span, 1 …]`; undefined where it hides nothing. */
function hiddenAlong(graph: GraphBuilder, { axes }: GridTiles, axis: number): Value | undefined {
  const own = axes[axis]!;
  const cells = own.starts.flatMap((_, tile) => seenAlong(own, tile).map((seen) => (seen ? 0 : -1)));
  if (cells.every((cell) => cell === 0)) return undefined;
  const ones = (value: number) => axes.map((_, at) => (at === axis ? value : 1));
  return graph.op('Reshape', [graph.float(cells), graph.int([own.starts.length, ...ones(own.extent), ...ones(own.span)])]);
}

/** What the grid, and causality, hide of a box's keys from its queries, f32 `[rows, columns]`: below 0 where a key is hidden. */
type Hidden = (graph: GraphBuilder, box: Value) => Value;

function hiddenInBoxes(
  graph: GraphBuilder,
  tiles: GridTiles,
  { queries, keys, causal }: { queries: Boxes; keys: Boxes; causal: boolean },
): Hidden | undefined {
  const { axes, rows, columns } = tiles;
  const tables = axes.flatMap((_, axis) => {
    const table = hiddenAlong(graph, tiles, axis);
    const tile = Array.from({ length: tiles.count }, (__, box) => boxAt(tiles, box)[axis]!);
    return table === undefined ? [] : [{ table, tile: graph.int(tile) }];
  });
  if (tables.length === 0 && !causal) return undefined;
  const dims = graph.int([...axes.map(({ extent }) => extent), ...axes.map(({ span }) => span)]);
  return (body, box) => {
    const along = tables.map(({ table, tile }) => body.op('Gather', [table, body.op('Gather', [tile, box], { axis: 0 })], { axis: 0 }));
    const byGrid =
      along.length === 0 ? undefined : body.op('Reshape', [body.op('Expand', [body.op('Min', along), dims]), body.int([rows, columns])]);
    if (!causal) return byGrid!;
    const row = body.op('Unsqueeze', [queries.tokens(body, box), body.int([1])]);
    const ahead = toFloat(body, body.op('Sub', [row, keys.tokens(body, box)]));
    return byGrid === undefined ? ahead : body.op('Min', [byGrid, ahead]);
  };
}

function withGlobals(graph: GraphBuilder, tokens: Value, { globals }: Grid): Value {
  return globals === 0 ? tokens : graph.op('Concat', [range(graph, globals), tokens], { axis: 0 });
}

/** The rows and columns of a bias on the logits, which may have one of either for all. */
function biasAt(graph: GraphBuilder, bias: Value, rows: Value, columns: Value): Value {
  const held = (index: Value, axis: number) =>
    graph.op('Min', [index, graph.op('Sub', [graph.sizes(bias, axis, axis + 1), graph.int([1])])]);
  return graph.op('Gather', [graph.op('Gather', [bias, held(rows, 2)], { axis: 2 }), held(columns, 3)], { axis: 3 });
}

function build(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const { heads, kvHeads, headDim, type } = config;
  const tiles = gridTiles(gridOf(config.parameters), overhead);
  const { grid, rows, columns } = tiles;
  // A sequence of another length fails here, instead of being read at wrong places.
  const whole = (tensor: Value, of: number) => graph.op('Reshape', [tensor, graph.int([0, of, grid.tokens, headDim])]);
  const sized = { ...inputs, query: whole(inputs.query, heads), key: whole(inputs.key, kvHeads), value: whole(inputs.value, kvHeads) };
  const source = keySource(graph, sized, config);
  const byHead = { axis: 2, heads, rest: [headDim] } as const;
  const query = { grid: inGrid(graph, sized.query, tiles, byHead), globals: undefined, axis: 2 } as const;
  const [key, value] = [gridded(graph, source.key, tiles, byHead), gridded(graph, source.value, tiles, byHead)];
  const padding = source.padding && gridded(graph, source.padding, tiles, { axis: 3, heads: 1, rest: [] });
  const [queries, keys] = [boxesOf(graph, tiles, 'queries'), boxesOf(graph, tiles, 'keys')];
  const hidden = hiddenInBoxes(graph, tiles, { queries, keys, causal: config.causal });
  const seen = grid.globals === 0 ? undefined : graph.op('Expand', [graph.scalar(0, type), graph.int([rows, grid.globals])]);
  const stacked = graph.loop(graph.int(tiles.count), type, (body, box) => {
    const ofKeys = (tensor: Gridded) => boxOf(body, tensor, keys, box, [0, heads, columns, headDim]);
    const own = boxOf(body, query, queries, box, [0, heads, rows, headDim]);
    const ofGrid = hidden && biasWhereNegative(body, hidden(body, box), type);
    const pattern = ofGrid && seen ? body.op('Concat', [seen, ofGrid], { axis: 1 }) : ofGrid;
    const padded = padding && boxOf(body, padding, keys, box, [0, 1, 1, columns]);
    const given = source.bias && biasAt(body, source.bias, queries.tokens(body, box), withGlobals(body, keys.tokens(body, box), grid));
    const score = capped(body, scores(body, scaled(body, own, config), ofKeys(key), 4), config);
    const bias = addBiases(body, pattern, padded, given);
    const empty = { mayBeEmpty: mayBeEmpty(config), manyMasked: pattern !== undefined };
    return attend(body, { score, bias, value: ofKeys(value), sinks: inputs.sinks, ...empty }, type);
  });
  const boxes = graph.op('Reshape', [graph.op('Transpose', [stacked], { perm: [1, 2, 0, 3, 4] }), graph.int([0, heads, -1, headDim])]);
  const ordered = graph.op('Gather', [boxes, graph.int([...Array<number>(grid.globals).fill(0), ...rowOfToken(tiles)])], { axis: 2 });
  return grid.globals === 0 ? ordered : withGlobalQueries(graph, ordered, sized, source, config);
}

/** Windows over a grid: boxes of queries against the box of keys that their windows cover, one after another. */
export const gridWindowTiled: OnnxKernel = {
  variant: 'grid-window',
  kernel: 'tiled',
  takesBias: true,
  takesSoftcap: true,
  takesSinks: true,
  summary: 'boxes of the grid against the box of keys that their windows cover',
  scoredPairs: (parameters, shape) => shape.batch * shape.heads * boxPairs(gridTiles(gridOf(parameters), overhead)),
  build,
};
