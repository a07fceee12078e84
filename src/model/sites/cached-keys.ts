import type { NodeProto } from 'onnx-buf';
import type { Projected } from './candidate.ts';
import { elementTypes } from '../graph/element-types.ts';
import type { GraphBuilder, Value } from '../graph/graph-builder.ts';
import { integerOf } from '../graph/graph-index.ts';

/** `[batch, n, heads·headDim]` as `[batch, heads, n, headDim]`. */
function splitHeads(graph: GraphBuilder, tensor: Value, heads: number): Value {
  return graph.op('Transpose', [graph.op('Reshape', [tensor, graph.int([0, 0, heads, -1])])], { perm: [0, 2, 1, 3] });
}

function slice(graph: GraphBuilder, tensor: Value, [start, end]: readonly [Value, Value], axis: number): Value {
  return graph.op('Slice', [tensor, start, end, graph.int([axis])]);
}

/** The outputs that an operator names, each with what gives it. */
function outputsOf(node: NodeProto, values: Readonly<Record<number, Value>>): Record<string, Value> {
  const given = Object.entries(values).map(([at, value]) => [node.output[Number(at)] ?? '', value] as const);
  return Object.fromEntries(given.filter(([name]) => name !== ''));
}

export interface Parts {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

/**
 * Keys and values behind those of the past, as MultiHeadAttention and the standard Attention join them. Of `heads` where they come as
 * `[batch, n, heads·headDim]`; 0 where they have four axes.
 */
export function joinPast(
  graph: GraphBuilder,
  node: NodeProto,
  { query, key, value }: Parts,
  { heads, past }: { heads: number; past: readonly [key: string, value: string] },
): Projected {
  const [keys = '', values = ''] = [key, value].map((tensor, at) => {
    const own = heads === 0 ? tensor : splitHeads(graph, tensor, heads);
    return past[at] === '' ? own : graph.op('Concat', [past[at]!, own], { axis: 2 });
  });
  return { query, key: keys, value: values, outputs: outputsOf(node, { 1: keys, 2: values }) };
}

/** The same where keys and values of the past come as one tensor `[2, batch, heads, n, headDim]`, as com.microsoft's Attention takes them. */
export function joinStackedPast(
  graph: GraphBuilder,
  node: NodeProto,
  { query, key, value }: Parts,
  { heads, past }: { heads: number; past: string },
): Projected {
  const [keys = '', values = ''] = [key, value].map((tensor, at) => {
    const own = splitHeads(graph, tensor, heads);
    return past === '' ? own : graph.op('Concat', [graph.op('Gather', [past, graph.int(at)], { axis: 0 }), own], { axis: 2 });
  });
  const stacked = [keys, values].map((tensor) => graph.op('Unsqueeze', [tensor, graph.int([0])]));
  return { query, key: keys, value: values, outputs: outputsOf(node, { 1: graph.op('Concat', stacked, { axis: 0 }) }) };
}

/**
 * What GroupQueryAttention attends with: heads split, rotated at their positions and put into the cache where the past of each batch element
 * ends. Its rotation is RotaryEmbedding's own, to the bit.
 */
export function groupQueryParts(graph: GraphBuilder, node: NodeProto): Projected {
  const [tensor = '', key = '', value = '', pastKey = '', pastValue = '', lengths = '', total = ''] = node.input;
  const heads = integerOf(node, 'num_heads', 1);
  const kvHeads = integerOf(node, 'kv_num_heads', heads);
  const parts =
    key === '' ? unpacked(graph, tensor, { heads, kvHeads }) : separate(graph, { query: tensor, key, value }, { heads, kvHeads });
  const times = timesOf(graph, tensor, { lengths, total });
  const rotate = (part: Value) => (integerOf(node, 'do_rotary', 0) === 1 ? rotated(graph, node, part, times) : part);
  const [newKeys, query] = [rotate(parts.key), rotate(parts.query)];
  const cache = (past: string, added: Value) => (past === '' ? added : cached(graph, { past, added, kvHeads }, times));
  const [keys, values] = [cache(pastKey, newKeys), cache(pastValue, parts.value)];
  const seen = (all: Value) => (pastKey === '' ? all : slice(graph, all, [graph.int([0]), times.end], 2));
  return { query, key: seen(keys), value: seen(values), outputs: outputsOf(node, { 1: keys, 2: values }) };
}

/** The same of DecoderMaskedMultiHeadAttention: its token takes a place in buffers, behind as many as came before, and the rest stays. */
export function bufferedParts(graph: GraphBuilder, node: NodeProto, { query, key, value }: Parts, heads: number): Projected {
  const [pastKey = '', pastValue = '', count = ''] = node.input.slice(5, 8);
  const place = whole(graph, count, [1]);
  const end = graph.op('Add', [place, graph.int(1)]);
  const put = (buffer: Value, own: Value) => {
    const [before, behind] = [slice(graph, buffer, [graph.int([0]), place], 2), slice(graph, buffer, [end, graph.int([2 ** 31 - 1])], 2)];
    return graph.op('Concat', [before, splitHeads(graph, own, heads), behind], { axis: 2 });
  };
  const [keys, values] = [put(pastKey, key), put(pastValue, value)];
  const seen = (all: Value) => slice(graph, all, [graph.int([0]), end], 2);
  return { query, key: seen(keys), value: seen(values), outputs: outputsOf(node, { 1: keys, 2: values }) };
}

function separate(graph: GraphBuilder, { query, key, value }: Parts, { heads, kvHeads }: { heads: number; kvHeads: number }): Parts {
  return { query: splitHeads(graph, query, heads), key: splitHeads(graph, key, kvHeads), value: splitHeads(graph, value, kvHeads) };
}

function unpacked(graph: GraphBuilder, packed: Value, { heads, kvHeads }: { heads: number; kvHeads: number }): Parts {
  const all = splitHeads(graph, packed, heads + 2 * kvHeads);
  const part = (start: number, count: number) => slice(graph, all, [graph.int([start]), graph.int([start + count])], 1);
  return { query: part(0, heads), key: part(heads, kvHeads), value: part(heads + kvHeads, kvHeads) };
}

/** Where new tokens stand, int64. */
interface Times {
  /** Tokens, `[1]`. */
  readonly added: Value;
  /** Tokens of the past of each batch element, `[batch, 1]`. */
  readonly past: Value;
  /** Keys that the longest batch element has, `[1]`. */
  readonly end: Value;
  /** Tokens that the operator is told there are, past and new, `[1]`. */
  readonly total: Value;
}

/** `lengths` holds the last key of each batch element. Where all tokens are new the past is empty, whatever it says. */
function timesOf(graph: GraphBuilder, tensor: Value, { lengths, total }: { lengths: string; total: string }): Times {
  const added = graph.sizes(tensor, 1, 2);
  const all = whole(graph, total, [1]);
  const isPrompt = graph.op('Equal', [added, all]);
  const counts = graph.op('Add', [whole(graph, lengths, [-1, 1]), graph.int(1)]);
  const past = graph.op('Where', [isPrompt, graph.int(0), graph.op('Sub', [counts, added])]);
  const longest = graph.op('Reshape', [graph.maximum(counts, [0]), graph.int([1])]);
  return { added, past, total: all, end: graph.op('Where', [isPrompt, added, longest]) };
}

function whole(graph: GraphBuilder, tensor: Value, sizes: readonly number[]): Value {
  return graph.op('Reshape', [graph.op('Cast', [tensor], { to: elementTypes.i64 }), graph.int(sizes)]);
}

function countUp(graph: GraphBuilder, count: Value): Value {
  return graph.op('Range', [graph.int(0), graph.op('Reshape', [count, graph.int([])]), graph.int(1)]);
}

function rotated(graph: GraphBuilder, node: NodeProto, part: Value, { added, past }: Times): Value {
  const [cos = '', sin = '', given = ''] = node.input.slice(7, 10);
  const positions = given === '' ? graph.op('Add', [past, countUp(graph, added)]) : given;
  // A rotation may take the first channels alone: twice as many as its tables have columns.
  const width = graph.op('Mul', [graph.sizes(cos, 1, 2), graph.int([2])]);
  const turned = slice(graph, part, [graph.int([0]), width], 3);
  const rest = slice(graph, part, [width, graph.int([2 ** 31 - 1])], 3);
  const attributes = { interleaved: integerOf(node, 'rotary_interleaved', 0) };
  return graph.op('Concat', [graph.op('RotaryEmbedding', [turned, positions, cos, sin], attributes), rest], { axis: 3 });
}

/** The cache `[batch, kvHeads, capacity, headDim]`: the past of each batch element, then what is new, then zeros. */
function cached(graph: GraphBuilder, { past, added, kvHeads }: { past: Value; added: Value; kvHeads: number }, times: Times): Value {
  const stored = graph.sizes(past, 2, 3);
  const capacity = graph.op('Max', [stored, times.total]);
  const place = countUp(graph, capacity);
  const since = graph.op('Sub', [place, times.past]);
  const nothing = graph.op('Add', [stored, times.added]);
  const isNew = graph.op('Less', [since, times.added]);
  const later = graph.op('Where', [isNew, graph.op('Add', [stored, since]), nothing]);
  const from = graph.op('Where', [graph.op('Less', [since, graph.int(0)]), place, later]);
  const batch = graph.sizes(past, 0, 1);
  const sizes = graph.op('Concat', [batch, graph.int([kvHeads]), capacity, graph.int([1])], { axis: 0 });
  const rows = graph.op('Expand', [graph.op('Unsqueeze', [from, graph.int([1, 3])]), sizes]);
  const all = graph.op('Pad', [graph.op('Concat', [past, added], { axis: 2 }), graph.int([0, 0, 0, 0, 0, 0, 1, 0])]);
  return graph.op('GatherND', [all, rows], { batch_dims: 2 });
}
