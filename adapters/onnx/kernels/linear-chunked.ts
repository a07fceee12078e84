import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import { linearSettings } from '../../../src/variants/linear/parameters.ts';
import type { LinearSettings } from '../../../src/variants/linear/parameters.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import { chunksOf, fromChunks, toChunks } from '../linear/chunks.ts';
import { decaysOf } from '../linear/decays.ts';
import type { Decays } from '../linear/decays.ts';
import { alignQueries, divideByWeights, linearSource, restoreQueries } from '../linear/features.ts';
import type { LinearSource } from '../linear/features.ts';
import { solveWrites } from '../linear/solve.ts';
import { cast } from '../tiles.ts';

const chunk = 64;

/** Queries, keys and values, and how many columns a value has: with one of ones, which gives the sum of the weights. */
interface Columns extends LinearSource {
  readonly columns: number;
}

function withSum(graph: GraphBuilder, source: LinearSource, settings: LinearSettings, config: KernelConfig): Columns {
  if (!settings.normalized) return { ...source, columns: config.headDim };
  const dims = graph.op('Concat', [graph.sizes(source.value, 0, 3), graph.int([1])], { axis: 0 });
  const value = graph.op('Concat', [source.value, graph.op('Expand', [graph.float(1), dims])], { axis: 3 });
  return { ...source, value, columns: config.headDim + 1 };
}

/** Every query reads the same state: the sum over all keys. */
function readOneState(graph: GraphBuilder, { query, key, value, columns }: Columns, config: KernelConfig): Value {
  const grouped = graph.op('Reshape', [query, graph.int([0, config.kvHeads, -1, config.headDim])]);
  const state = graph.op('MatMul', [graph.op('Transpose', [key], { perm: [0, 1, 3, 2] }), value]);
  return graph.op('Reshape', [graph.op('MatMul', [grouped, state]), graph.int([0, config.heads, -1, columns])]);
}

/** One chunk's queries, keys and what they write, `[batch, kvHeads, group or 1, chunk, …]`, with the decays within it. */
interface Chunk {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  readonly between: Value;
  readonly before: Value | undefined;
  readonly after: Value | undefined;
  readonly whole: Value | undefined;
  /** Of the delta rules: (I + L)⁻¹·β. */
  readonly solved?: Value;
}

/** Transposes the last two of five axes. */
function transposed(graph: GraphBuilder, tensor: Value): Value {
  return graph.op('Transpose', [tensor], { perm: [0, 1, 2, 4, 3] });
}

/** What has decayed by `factor`; undefined: not at all. */
function decayed(graph: GraphBuilder, tensor: Value, factor: Value | undefined): Value {
  return factor === undefined ? tensor : graph.op('Mul', [tensor, factor]);
}

/** What a chunk gives, of earlier chunks through the state and of its own keys directly, and the state that it leaves. */
function readChunk(graph: GraphBuilder, state: Value, { query, key, value, between, before, after, whole, solved }: Chunk) {
  const fromState = (rows: Value) => graph.op('MatMul', [decayed(graph, rows, before), state]);
  const written = solved === undefined ? value : graph.op('MatMul', [solved, graph.op('Sub', [value, fromState(key)])]);
  const weights = graph.op('Mul', [graph.op('MatMul', [query, transposed(graph, key)]), between]);
  const output = graph.op('Add', [fromState(query), graph.op('MatMul', [weights, written])]);
  const added = graph.op('MatMul', [transposed(graph, decayed(graph, key, after)), written]);
  return { state: graph.op('Add', [decayed(graph, state, whole), added]), output };
}

/** What later chunks give to each chunk's queries, and the state before the chunk. */
function readLater(graph: GraphBuilder, state: Value, { query, key, value, before, after, whole }: Chunk) {
  const output = graph.op('MatMul', [decayed(graph, query, after), state]);
  const added = graph.op('MatMul', [transposed(graph, decayed(graph, key, before)), value]);
  return { state: graph.op('Add', [decayed(graph, state, whole), added]), output };
}

function overChunks(graph: GraphBuilder, source: Columns, inputs: KernelInputs, settings: LinearSettings, config: KernelConfig): Value {
  const { heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  const chunks = chunksOf(graph, source.lengths, chunk);
  const cut = (tensor: Value, width: number, each = 1) => toChunks(graph, tensor, chunks, { heads: kvHeads, group: each, width });
  const query = cut(alignQueries(graph, source, config), headDim, group);
  const key = cut(source.key, headDim);
  const value = cut(source.value, source.columns);
  const decays = decaysOf(graph, settings, { chunks, mask: inputs.mask, config });
  const between = decays.between(graph, { part: chunk, size: chunk, row: 0, column: 0, seen: config.causal ? 'upTo' : 'all' });
  const solved = settings.beta === undefined ? undefined : solveWrites(graph, key, { size: chunk, headDim, beta: settings.beta, decays });
  const state = graph.op('Expand', [
    graph.float(0),
    graph.op('Concat', [graph.sizes(source.key, 0, 1), graph.int([kvHeads, 1, headDim, source.columns])], { axis: 0 }),
  ]);
  const parts = { query, key, value, between, before: decays.before, after: decays.after, whole: decays.whole };
  const scanned = solved === undefined ? parts : { ...parts, solved };
  const forward = scanChunks(graph, state, { parts: scanned, decays }, readChunk);
  const both = config.causal
    ? forward
    : graph.op('Add', [forward, scanChunks(graph, state, { parts, decays, backwards: true }, readLater)]);
  return fromChunks(graph, both, chunks, { heads: kvHeads, group, width: source.columns });
}

/** Runs `body` chunk after chunk. Decays that are constants are read from outside of the scan. */
function scanChunks(
  graph: GraphBuilder,
  state: Value,
  { parts, decays, backwards = false }: { parts: Chunk; decays: Decays; backwards?: boolean },
  body: (graph: GraphBuilder, state: Value, chunk: Chunk) => { state: Value; output: Value },
): Value {
  const constants = decays.varies ? [] : ['between', 'before', 'after', 'whole'];
  const cut = Object.entries(parts).filter((entry): entry is [string, Value] => !constants.includes(entry[0]) && entry[1] !== undefined);
  return graph.scan({ state, inputs: cut.map(([, value]) => value), rank: 5, backwards }, (inner, carried, slices) =>
    body(inner, carried, { ...parts, ...Object.fromEntries(cut.map(([name], index) => [name, slices[index]!])) }),
  );
}

export function buildChunked(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const settings = linearSettings(config.parameters);
  const source = withSum(graph, linearSource(graph, inputs, settings, config), settings, config);
  if (isOneState(settings, config.causal)) return cast(graph, finish(readOneState(graph, source, config)), config.type);
  return cast(graph, restoreQueries(graph, finish(overChunks(graph, source, inputs, settings, config)), source, config), config.type);

  function finish(read: Value): Value {
    if (!settings.normalized) return read;
    const columns = (from: number, to: number) => graph.op('Slice', [read, graph.int([from]), graph.int([to]), graph.int([3])]);
    return divideByWeights(graph, columns(0, config.headDim), columns(config.headDim, source.columns));
  }
}

/** Whether every query sees every key alike. */
function isOneState({ rule }: LinearSettings, causal: boolean): boolean {
  return rule === 'linear' && !causal;
}

/** Linear attention in chunks: dense products inside of a chunk, a state from one to the next; standard operators alone. */
export const linearChunked: OnnxKernel = {
  variant: 'linear',
  kernel: 'chunked',
  summary: `chunks of ${chunk} positions: products within a chunk, a state between chunks`,
  scoredPairs(parameters, { batch, heads, keys, causal }) {
    if (isOneState(linearSettings(parameters), causal)) return 0;
    return batch * heads * Math.ceil(keys / chunk) * chunk ** 2;
  },
  build: buildChunked,
};
