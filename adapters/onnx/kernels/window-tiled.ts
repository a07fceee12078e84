import type { Span } from '../../../src/contract/span.ts';
import { windowSpan } from '../../../src/variants/window/span.ts';
import { patternBias } from '../blocks.ts';
import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import { mayBeEmpty, withGlobalQueries } from '../global-queries.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import type { QueryTile } from '../tiles.ts';
import { addBiases, attend, biasWhereNegative, capped, overQueryTiles, range, scaled, scores, slice, toFloat, vector } from '../tiles.ts';
import type { KeySource } from './dense-tiled.ts';
import { keySource } from './dense-tiled.ts';

const tile = 64;

/** What both the variant's window and the model's own let a query see. */
function reach({ parameters, causal, window }: Pick<KernelConfig, 'parameters' | 'causal' | 'window'>): Span {
  const { left, right } = windowSpan(Number(parameters['w']), causal);
  return window === undefined ? { left, right } : { left: Math.min(left, window.left), right: Math.min(right, window.right) };
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
  const { left, right } = reach(config);
  const globals = Number(config.parameters['globals']);
  const { keys } = source.lengths;
  const low = graph.op('Max', [graph.op('Sub', [rows.start, graph.int(left)]), graph.int(0)]);
  const high = graph.op('Min', [graph.op('Add', [graph.op('Add', [rows.start, rows.size]), graph.int(right)]), keys]);
  const prefix = globals === 0 ? undefined : graph.op('Min', [low, graph.int(globals)]);
  const cut = (tensor: Value, axis: number) => {
    const band = slice(graph, tensor, low, high, axis);
    return prefix === undefined ? band : graph.op('Concat', [slice(graph, tensor, graph.int(0), prefix, axis), band], { axis });
  };
  const padding = source.padding === undefined ? undefined : cut(source.padding, 3);
  const band = { key: cut(source.key, 2), value: cut(source.value, 2) };
  const spans = [...(prefix === undefined ? [] : [[graph.int(0), prefix] as const]), [low, high] as const];
  const own = source.bias === undefined ? undefined : biasOfTile(graph, source.bias, rows, spans);
  if (prefix === undefined) {
    const first = graph.op('Sub', [low, graph.op('Sub', [rows.start, graph.int(left)])]);
    const pattern = slice(graph, source.pattern, first, graph.op('Add', [first, graph.op('Sub', [high, low])]), 1);
    return { ...band, bias: addBiases(graph, pattern, padding, own)! };
  }
  const span = (start: Value, end: Value) => toFloat(graph, graph.op('Range', [start, end, graph.int(1)]));
  const column = graph.op('Concat', [span(graph.int(0), prefix), span(low, high)], { axis: 0 });
  return { ...band, bias: addBiases(graph, windowBias(graph, rows, column, config), padding, own)! };
}

/** What a bias, which may have one row or one column for all, adds to a tile of queries and the keys of some spans. */
function biasOfTile(graph: GraphBuilder, bias: Value, rows: QueryTile, spans: ReadonlyArray<readonly [Value, Value]>): Value {
  const last = (tensor: Value, axis: number) => graph.op('Sub', [graph.sizes(tensor, axis, axis + 1), graph.int([1])]);
  const row = graph.op('Min', [graph.op('Slice', [rows.rows, graph.int([0]), graph.int([1])]), last(bias, 2)]);
  const parts = spans.map(([low, high]) => {
    const start = graph.op('Concat', [row, graph.op('Min', [vector(graph, low), last(bias, 3)])], { axis: 0 });
    const end = graph.op('Concat', [graph.op('Add', [row, rows.size]), vector(graph, high)], { axis: 0 });
    const width = vector(graph, graph.op('Sub', [high, low]));
    const sizes = graph.op('Concat', [graph.int([1, 1, 1]), width], { axis: 0 });
    return graph.op('Expand', [graph.op('Slice', [bias, start, end, graph.int([2, 3])]), sizes]);
  });
  const joined = graph.op('Concat', parts, { axis: 3 });
  return graph.op('Gather', [joined, graph.op('Min', [range(graph, rows.size), last(joined, 2)])], { axis: 2 });
}

/** 0 where −right ≤ i − j ≤ left, or j is global (and not later when causal); the masked score elsewhere. `[tile, columns]`. */
function windowBias(graph: GraphBuilder, rows: QueryTile, column: Value, config: KernelConfig): Value {
  const { left, right } = reach(config);
  const globals = Number(config.parameters['globals']);
  const position = graph.op('Unsqueeze', [toFloat(graph, rows.positions), graph.int([1])]);
  const distance = graph.op('Sub', [position, column]);
  const notTooEarly = graph.op('Sub', [graph.float(left), distance]);
  const notTooLate = graph.op('Add', [distance, graph.float(right)]);
  const global = graph.op('Sub', [graph.float(globals - 1), column]);
  const allowed = config.causal
    ? graph.op('Min', [graph.op('Max', [notTooEarly, global]), notTooLate])
    : graph.op('Max', [graph.op('Min', [notTooEarly, notTooLate]), global]);
  return biasWhereNegative(graph, allowed, config.type);
}

function build(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const { query } = inputs;
  const { left, right } = reach(config);
  // Without globals every tile sees the same diagonal band: made once, and cut at the sequence's ends.
  const band = { rows: tile, columns: left + tile + right };
  const whole = patternBias(graph, band, (row, column) => column >= row && column <= row + left + right, config.type);
  const keys = keySource(graph, inputs, config);
  const pattern = slice(graph, whole, graph.int(0), keys.lengths.queries, 0);
  const source = { ...keys, pattern };
  const output = overQueryTiles(graph, { query, lengths: source.lengths, tile, config }, (body, rows) => {
    const { key, value, bias } = bandOf(body, rows, source, config);
    const score = capped(body, scores(body, scaled(body, rows.query, config), key, 4), config);
    return attend(body, { score, bias, value, sinks: inputs.sinks, mayBeEmpty: mayBeEmpty(config), manyMasked: true }, config.type);
  });
  return Number(config.parameters['globals']) === 0 ? output : withGlobalQueries(graph, output, inputs, source, config);
}

/** Sliding window: tiles of queries against the band of keys that their windows cover, n·(w + tile) products. */
export const windowTiled: OnnxKernel = {
  variant: 'window',
  kernel: 'tiled',
  takesBias: true,
  takesSoftcap: true,
  takesSinks: true,
  skipsOutside: ({ globals }) => Number(globals) === 0,
  summary: `tiles of ${tile} queries against their band of keys`,
  scoredPairs(parameters, shape) {
    const { left, right } = windowSpan(Number(parameters['w']), shape.causal);
    const globals = Number(parameters['globals']);
    const offset = shape.keys - shape.queries;
    let pairs = Math.max(0, Math.min(globals - offset, shape.queries)) * shape.keys;
    const rows = Math.min(tile, shape.queries);
    for (let first = 0; first < shape.queries; first += tile) {
      const low = Math.max(first + offset - left, 0);
      const high = Math.min(first + offset + rows + right, shape.keys);
      pairs += rows * (high - low + Math.min(low, globals));
    }
    return shape.batch * shape.heads * pairs;
  },
  build,
};
