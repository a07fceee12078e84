import { denseSpan } from '../../contract/span.ts';
import type { Shape } from '../../contract/shape.ts';
import type { Variant } from '../../contract/variant.ts';
import { allowedEnd, appendKeys, clearRow, viewHead } from '../head-view.ts';
import { sumOverQueries, workOf } from '../work.ts';
import { gridOf, gridParameters, productOf, stridesOf, windowsOf } from './grid.ts';
import type { Grid } from './grid.ts';

/**
 * Neighborhood attention (Hassani et al. 2023): tokens are the places of a grid, row by row, and each sees the `w` nearest along every axis. At an
 * edge the window moves instead of shrinking, so that every token sees as many. Before the grid there may be `globals` tokens, such as a class
 * token, which see all and are seen by all. `time=past`: along the first of three axes a token sees its own frame and those before it.
 */
export const gridWindow: Variant = {
  name: 'grid-window',
  takesBias: true,
  takesSoftcap: true,
  takesSinks: true,
  summary: 'the nearest keys along each axis of a grid, and a few global keys',
  parameters: gridParameters,
  tokens: (given) => gridOf(given).tokens,
  span(given, causal) {
    const seesAll = gridOf(given).axes.every(({ size, w, past }) => w === size && !past);
    return seesAll ? denseSpan(causal) : { left: 0, right: 0 };
  },
  refuses(given, { queries, keys }) {
    const { axes, tokens, globals } = gridOf(given);
    if (queries === tokens && keys === tokens) return undefined;
    const expected = globals === 0 ? `${tokens}` : `${globals} + ${tokens - globals}`;
    const found = queries === keys ? counted(keys, 'token') : `${counted(queries, 'query', 'queries')} and ${counted(keys, 'key')}`;
    return `grid-window: ${found}, expected the ${expected} tokens of ${globals === 0 ? '' : `globals=${globals} and `}grid=${axes.map(({ size }) => size).join('x')}`;
  },
  cost(given, shape) {
    const grid = gridOf(given);
    const pairs = shape.batch * shape.heads * sumOverQueries(shape, (query) => keysSeen(grid, shape, query));
    return workOf(shape, { scoredPairs: pairs, weightedPairs: pairs });
  },
  rows(inputs, given, at) {
    const grid = gridOf(given);
    const view = viewHead(inputs, at);
    return {
      pools: [],
      fill(query, row) {
        clearRow(row, view.sink);
        for (const [start, end] of runsOf(grid, view.shape, query)) appendKeys(view, query, start, end, row);
      },
    };
  },
};

/** The keys that a query sees, in runs [start, end), ascending. */
function runsOf(grid: Grid, shape: Shape, query: number): Array<readonly [number, number]> {
  const { globals } = grid;
  const limit = allowedEnd(shape, query);
  if (query < globals) return [[0, limit]];
  const windows = windowsOf(grid, query - globals);
  const inner = windows.at(-1)!;
  const strides = stridesOf(grid);
  let lines = [globals];
  for (const [axis, { start, end }] of windows.slice(0, -1).entries())
    lines = lines.flatMap((line) => Array.from({ length: end - start }, (_, index) => line + (start + index) * strides[axis]!));
  const runs = lines.map((line) => [line + inner.start, Math.min(limit, line + inner.end)] as const);
  return [[0, globals], ...runs.filter(([start, end]) => end > start)];
}

function keysSeen(grid: Grid, shape: Shape, query: number): number {
  if (!shape.causal && query >= grid.globals)
    return grid.globals + productOf(windowsOf(grid, query - grid.globals).map(({ start, end }) => end - start));
  return runsOf(grid, shape, query).reduce((sum, [start, end]) => sum + end - start, 0);
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
