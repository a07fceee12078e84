import type { Parameters } from '../../../src/contract/variant.ts';
import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import type { KernelConfig, KernelInputs } from '../kernel.ts';
import { allHeads, joinTiles, rowsAt, rowsOf, runsByTile } from '../tile-runs.ts';
import { causalBias, ceilDivide, lengths, range, scaled, scores, vector } from '../tiles.ts';

const rowsAtMost = 256;
/** Scores of one run: 2 MB in f32. */
const scoresAtOnce = 2 ** 19;

/** Whether {@link keepFew} serves: few keys to gather, and no row that sees none. */
export function servesFew({ parameters, masked, biased, selfAttention, causal, headDim }: KernelConfig): boolean {
  return isFew(parameters, headDim) && !masked && !biased && (selfAttention || !causal);
}

/** Whether gathering the values of the keys that are kept costs less than reading all. */
export function isFew({ k, keep }: Parameters, headDim: number): boolean {
  return keep === undefined && Number(k) <= 2 * headDim;
}

/** What the runs read, all as it came. */
interface Source {
  readonly key: Value;
  readonly value: Value;
  /** int64 scalar. */
  readonly keys: Value;
  /** int64 scalar: how many rows a tile has. */
  readonly rows: Value;
  readonly k: number;
}

/**
 * Top-k with few keys per row. TopK keeps a heap of k scores; most of its time goes into taking in scores that later ones push out. So scores are
 * raised to a floor first, just below a value that k of them are known to reach, and what lies under it is passed over.
 */
export function keepFew(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const { headDim, causal, type } = config;
  const { queries, keys } = lengths(graph, inputs);
  const k = Number(config.parameters['k']);
  const heads = allHeads(graph, inputs.query, config.heads);
  const tiles = ceilDivide(graph, queries, rowsAtMost);
  const rows = ceilDivide(graph, queries, tiles);
  const fitting = graph.op('Div', [graph.int(scoresAtOnce), graph.op('Mul', [rows, keys])]);
  const runs = runsByTile(graph, { heads, tiles }, graph.op('Min', [graph.op('Max', [fitting, graph.int(1)]), heads]));
  const query = rowsOf(graph, inputs.query, headDim);
  const source = { key: rowsOf(graph, inputs.key, headDim), value: rowsOf(graph, inputs.value, headDim), keys, rows, k };
  const triangle = causal ? laterKeys(graph, source, type) : undefined;
  const group = graph.int(config.heads / config.kvHeads);
  const stacked = graph.loop(runs.count, type, (body, run) => {
    const head = body.op('Gather', [runs.head, run], { axis: 0 });
    const kvHead = body.op('Div', [head, group]);
    const start = body.op('Mul', [body.op('Gather', [body.op('Gather', [runs.tile, run], { axis: 0 }), body.int(0)], { axis: 0 }), rows]);
    const index = body.op('Min', [range(body, rows, start), body.op('Sub', [queries, body.int(1)])]);
    const queryRows = scaled(body, rowsAt(body, query, { head, length: queries, index, axes: 1 }), config);
    const end = causal ? body.op('Min', [body.op('Add', [start, rows]), keys]) : keys;
    const score = raisedScores(body, source, { query: queryRows, kvHead, start, end, triangle }, type);
    const most = vector(body, body.op('Min', [end, body.int(k)]));
    const [kept = '', chosen = ''] = body.ops('TopK', [score, most], { axis: -1, largest: 1, sorted: 0 }, 2);
    const weight = body.op('Unsqueeze', [body.op('Softmax', [kept], { axis: -1 }), body.int([2])]);
    const values = rowsAt(body, source.value, { head: kvHead, length: keys, index: chosen, axes: 2 });
    return body.op('Squeeze', [body.op('MatMul', [weight, values]), body.int([2])]);
  });
  return joinTiles(graph, stacked, runs, { allHeads: heads, heads: config.heads, queries, size: rows, headDim });
}

interface Tile {
  /** `[at once, rows, headDim]`, scaled. */
  readonly query: Value;
  /** int64 `[at once]`. */
  readonly kvHead: Value;
  /** int64 scalar: the position of the first row. */
  readonly start: Value;
  /** int64 scalar: behind the last key that a row may see. */
  readonly end: Value;
  readonly triangle: Value | undefined;
}

/** Scores with keys 0 … end−1: `[at once, rows, end]`. */
function raisedScores(graph: GraphBuilder, source: Source, tile: Tile, type: KernelConfig['type']): Value {
  const k = graph.int(source.k);
  const seen = tile.triangle === undefined ? graph.op('Sub', [source.keys, graph.int(1)]) : tile.start;
  // Keys that every row sees, a multiple of k of them; at least one key is left.
  const sure = graph.op('Mul', [graph.op('Div', [seen, k]), k]);
  const product = (inner: GraphBuilder, from: Value, to: Value) => {
    const index = inner.op('Range', [from, to, inner.int(1)]);
    return scores(inner, tile.query, rowsAt(inner, source.key, { head: tile.kvHead, length: source.keys, index, axes: 1 }), 3);
  };
  const rest = product(graph, sure, tile.end);
  const last = tile.triangle === undefined ? rest : graph.op('Add', [rest, laterColumns(graph, tile.triangle, { sure, ...tile }, source)]);
  return graph.branch(graph.op('Greater', [sure, graph.int(0)]), type, {
    yes: (inner) => inner.op('Concat', [raised(inner, product(inner, inner.int(0), sure), source.k, type), last], { axis: -1 }),
    no: () => last,
  });
}

/**
 * Scores `[at once, rows, m·k]` raised to their row's floor. Of k groups of m scores, each has one that reaches the least of the groups' largest,
 * so k scores do; the floor is a little below, lest a score that equals it be taken for one that was raised.
 */
function raised(graph: GraphBuilder, score: Value, k: number, type: KernelConfig['type']): Value {
  const byGroup = graph.op('Reshape', [score, graph.int([0, 0, -1, k])]);
  const reached = graph.op('Squeeze', [graph.minimum(graph.maximum(byGroup, [2]), [3]), graph.int([3])]);
  const [share, least] = type === 'f32' ? [2 ** -20, 1e-30] : [2 ** -8, 2 ** -14];
  const gap = graph.op('Add', [graph.op('Mul', [graph.op('Abs', [reached]), graph.scalar(share, type)]), graph.scalar(least, type)]);
  return graph.op('Max', [score, graph.op('Sub', [reached, gap])]);
}

/** The masked score where column c of `[rows, rows + k − 1]` is later than row r: where c − (k − 1) > r. */
function laterKeys(graph: GraphBuilder, { rows, k }: Source, type: KernelConfig['type']): Value {
  return causalBias(graph, range(graph, rows, graph.int(k - 1)), range(graph, graph.op('Add', [rows, graph.int(k - 1)])), type);
}

/** The columns of {@link laterKeys} for keys `sure` … `end`−1. */
function laterColumns(graph: GraphBuilder, triangle: Value, at: { sure: Value; start: Value; end: Value }, { k }: Source): Value {
  const first = graph.op('Sub', [graph.int(k - 1), graph.op('Sub', [at.start, at.sure])]);
  const behind = graph.op('Add', [first, graph.op('Sub', [at.end, at.sure])]);
  return graph.op('Slice', [triangle, vector(graph, first), vector(graph, behind), graph.int([1])]);
}

/** q·k products of one head, of whole tiles, which are equally high. */
export function fewPairs({ queries, keys, causal }: { queries: number; keys: number; causal: boolean }): number {
  const tiles = Math.ceil(queries / rowsAtMost);
  const rows = Math.ceil(queries / tiles);
  const ends = Array.from({ length: tiles }, (_, tile) => (causal ? Math.min((tile + 1) * rows, keys) : keys));
  return rows * ends.reduce((sum, end) => sum + end, 0);
}
