import { GraphBuilder } from '../../src/model/graph/graph-builder.ts';
import type { Value } from '../../src/model/graph/graph-builder.ts';
import { elementTypes } from '../../src/model/graph/element-types.ts';

const [heads, headDim] = [4, 32];
const width = heads * headDim;

function begin() {
  const graph = new GraphBuilder();
  const [query, key, value] = ['query', 'key', 'value'].map((name) => graph.input(name, 'f32', ['batch', 'sequence', width])) as [
    Value,
    Value,
    Value,
  ];
  return { graph, query, key, value, length: graph.sizes(query, 1, 2) };
}

const finish = (graph: GraphBuilder, output: Value) =>
  graph.model([{ name: 'output', value: output, type: 'f32', shape: ['batch', 'sequence', width] }]);

/** One GroupQueryAttention with a window, as model builders write it. */
export function windowedOperator(window: number): Uint8Array {
  const { graph, query, key, value, length } = begin();
  const last = graph.op('Cast', [graph.op('Sub', [length, graph.int(1)])], { to: elementTypes.i32 });
  const lastKeys = graph.op('Expand', [last, graph.op('Concat', [graph.sizes(query, 0, 1), graph.int([1])], { axis: 0 })]);
  const total = graph.op('Cast', [graph.op('Squeeze', [length])], { to: elementTypes.i32 });
  const attributes = { num_heads: heads, kv_num_heads: heads, local_window_size: window };
  return finish(graph, graph.ops('GroupQueryAttention', [query, key, value, '', '', lastKeys, total], attributes, 3)[0]!);
}

/** Products, a banded mask, a softmax: what exporters write of a window. */
export function maskedGraph(window: number): Uint8Array {
  const { graph, query, key, value, length } = begin();
  const split = (tensor: Value) =>
    graph.op('Transpose', [graph.op('Reshape', [tensor, graph.int([0, 0, heads, headDim])])], { perm: [0, 2, 1, 3] });
  const [q, k, v] = [query, key, value].map(split) as [Value, Value, Value];
  const place = graph.op('Cast', [graph.op('Range', [graph.int(0), graph.op('Squeeze', [length]), graph.int(1)])], {
    to: elementTypes.f32,
  });
  const distance = graph.op('Sub', [graph.op('Unsqueeze', [place, graph.int([1])]), place]);
  const outside = graph.op('Or', [
    graph.op('Less', [distance, graph.float(0)]),
    graph.op('GreaterOrEqual', [distance, graph.float(window)]),
  ]);
  const bias = graph.op('Mul', [graph.op('Cast', [outside], { to: elementTypes.f32 }), graph.float(-1e9)]);
  const logits = graph.op('Mul', [
    graph.op('MatMul', [q, graph.op('Transpose', [k], { perm: [0, 1, 3, 2] })]),
    graph.float(headDim ** -0.5),
  ]);
  const weights = graph.op('Softmax', [graph.op('Add', [logits, bias])], { axis: -1 });
  const joined = graph.op('Transpose', [graph.op('MatMul', [weights, v])], { perm: [0, 2, 1, 3] });
  return finish(graph, graph.op('Reshape', [joined, graph.int([0, 0, width])]));
}
