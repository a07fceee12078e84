import type { Parameters } from '../../../src/contract/variant.ts';
import { patternBias } from '../blocks.ts';
import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import type { QueryTile } from '../tiles.ts';
import { addBiases, attend, biasWhereNegative, overQueryTiles, scaled, scores, slice, toFloat } from '../tiles.ts';
import type { KeySource } from './dense-tiled.ts';
import { keySource } from './dense-tiled.ts';

const tile = 64;

/** How far a window reaches before and after a query: w−1 and 0 when causal, ⌊w/2⌋ on both sides otherwise. */
function reach(parameters: Parameters, causal: boolean): { before: number; after: number } {
  const w = Number(parameters['w']);
  return causal ? { before: w - 1, after: 0 } : { before: Math.floor(w / 2), after: Math.floor(w / 2) };
}

interface Band {
  readonly key: Value;
  readonly value: Value;
  readonly bias: Value;
}

/**
 * The keys from the first window's start to the last window's end, after the `globals` keys that lie before them; the bias
 * tells which of them each row sees.
 */
function bandOf(graph: GraphBuilder, rows: QueryTile, source: KeySource & { pattern: Value }, config: KernelConfig): Band {
  const { before, after } = reach(config.parameters, config.causal);
  const globals = Number(config.parameters['globals']);
  const { keys } = source.lengths;
  const low = graph.op('Max', [graph.op('Sub', [rows.start, graph.int(before)]), graph.int(0)]);
  const high = graph.op('Min', [graph.op('Add', [rows.start, graph.int(rows.size + after)]), keys]);
  const prefix = globals === 0 ? undefined : graph.op('Min', [low, graph.int(globals)]);
  const cut = (tensor: Value, axis: number) => {
    const band = slice(graph, tensor, low, high, axis);
    return prefix === undefined ? band : graph.op('Concat', [slice(graph, tensor, graph.int(0), prefix, axis), band], { axis });
  };
  const padding = source.padding === undefined ? undefined : cut(source.padding, 3);
  const band = { key: cut(source.key, 2), value: cut(source.value, 2) };
  if (prefix === undefined) {
    const first = graph.op('Sub', [low, graph.op('Sub', [rows.start, graph.int(before)])]);
    const pattern = slice(graph, source.pattern, first, graph.op('Add', [first, graph.op('Sub', [high, low])]), 1);
    return { ...band, bias: addBiases(graph, pattern, padding)! };
  }
  const span = (start: Value, end: Value) => toFloat(graph, graph.op('Range', [start, end, graph.int(1)]));
  const column = graph.op('Concat', [span(graph.int(0), prefix), span(low, high)], { axis: 0 });
  return { ...band, bias: addBiases(graph, windowBias(graph, rows, column, config), padding)! };
}

/** 0 where −after ≤ i − j ≤ before, or j is global (and not later when causal); the masked score elsewhere. `[tile, columns]`. */
function windowBias(graph: GraphBuilder, rows: QueryTile, column: Value, config: KernelConfig): Value {
  const { before, after } = reach(config.parameters, config.causal);
  const globals = Number(config.parameters['globals']);
  const position = graph.op('Unsqueeze', [toFloat(graph, rows.positions), graph.int([1])]);
  const distance = graph.op('Sub', [position, column]);
  const notTooEarly = graph.op('Sub', [graph.float(before), distance]);
  const notTooLate = graph.op('Add', [distance, graph.float(after)]);
  const global = graph.op('Sub', [graph.float(globals - 1), column]);
  const allowed = config.causal
    ? graph.op('Min', [graph.op('Max', [notTooEarly, global]), notTooLate])
    : graph.op('Max', [graph.op('Min', [notTooEarly, notTooLate]), global]);
  return biasWhereNegative(graph, allowed, config.type);
}

/** Rows of the queries at positions 0 … globals−1, which see every allowed key, put in place of the band's. */
function withGlobalQueries(graph: GraphBuilder, band: Value, query: Value, source: KeySource, config: KernelConfig): Value {
  const { queries, keys, offset } = source.lengths;
  const globals = graph.int(Number(config.parameters['globals']));
  const rows = graph.op('Max', [graph.op('Min', [graph.op('Sub', [globals, offset]), queries]), graph.int(0)]);
  // One row at least, for reductions over no rows fail; it is cut off again where no query is global.
  const computed = graph.op('Max', [rows, graph.int(1)]);
  const position = toFloat(graph, graph.op('Range', [offset, graph.op('Add', [offset, computed]), graph.int(1)]));
  const column = toFloat(graph, graph.op('Range', [graph.int(0), keys, graph.int(1)]));
  const distance = graph.op('Sub', [graph.op('Unsqueeze', [position, graph.int([1])]), column]);
  const causal = config.causal ? biasWhereNegative(graph, distance, config.type) : undefined;
  const score = scores(graph, scaled(graph, slice(graph, query, graph.int(0), computed, 2), config), source.key, 4);
  const bias = addBiases(graph, causal, source.padding);
  const first = attend(graph, { score, bias, value: source.value, mayBeEmpty: config.masked }, config.type);
  return graph.op('Concat', [slice(graph, first, graph.int(0), rows, 2), slice(graph, band, rows, queries, 2)], { axis: 2 });
}

function build(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const { query } = inputs;
  const { before, after } = reach(config.parameters, config.causal);
  // Without globals every tile sees the same diagonal band: made once, and cut at the sequence's ends.
  const band = { rows: tile, columns: before + tile + after };
  const pattern = patternBias(graph, band, (row, column) => column >= row && column <= row + before + after, config.type);
  const source = { ...keySource(graph, inputs, config), pattern };
  const output = overQueryTiles(graph, { query, lengths: source.lengths, tile, heads: config.heads, config }, (body, rows) => {
    const { key, value, bias } = bandOf(body, rows, source, config);
    return attend(
      body,
      { score: scores(body, scaled(body, rows.query, config), key, 4), bias, value, mayBeEmpty: config.masked },
      config.type,
    );
  });
  return Number(config.parameters['globals']) === 0 ? output : withGlobalQueries(graph, output, query, source, config);
}

/** Sliding window: tiles of queries against the band of keys that their windows cover, n·(w + tile) products. */
export const windowTiled: OnnxKernel = {
  variant: 'window',
  kernel: 'tiled',
  summary: `tiles of ${tile} queries against their band of keys`,
  scoredPairs(parameters, shape) {
    const { before, after } = reach(parameters, shape.causal);
    const globals = Number(parameters['globals']);
    const offset = shape.keys - shape.queries;
    let pairs = Math.max(0, Math.min(globals - offset, shape.queries)) * shape.keys;
    for (let first = 0; first < shape.queries; first += tile) {
      const low = Math.max(first + offset - before, 0);
      const high = Math.min(first + offset + tile + after, shape.keys);
      pairs += tile * (high - low + Math.min(low, globals));
    }
    return shape.batch * shape.heads * pairs;
  },
  build,
};
