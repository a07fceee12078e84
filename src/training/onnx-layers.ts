import type { GraphBuilder, Value } from '../model/graph/graph-builder.ts';
import type { ModelParts } from './model-parts.ts';
import { normEpsilon } from './reference-layers.ts';

/** x·W. */
export function linear(graph: GraphBuilder, x: Value, matrix: Value): Value {
  return graph.op('MatMul', [x, matrix]);
}

/** The logits of states. */
export function head(parts: Pick<ModelParts, 'graph' | 'testbed'>, x: Value): Value {
  return linear(parts.graph, parts.testbed.normPlacement === 'before' ? norm(parts, x, 'norm') : x, 'head');
}

/** gelu(x·in)·out. */
export function mlp(graph: GraphBuilder, x: Value, name: string): Value {
  return linear(graph, graph.op('Gelu', [linear(graph, x, `${name}.in`)]), `${name}.out`);
}

/** The first `length` rows of a table. */
export function slicedRows(graph: GraphBuilder, table: Value, length: Value): Value {
  return graph.op('Slice', [table, graph.int([0]), length, graph.int([0])]);
}

/** LayerNorm as its operator; RMSNorm written out, as the standard has it from opset 23 only. */
export function norm({ graph, testbed }: Pick<ModelParts, 'graph' | 'testbed'>, x: Value, name: string): Value {
  if (testbed.norm === 'layer')
    return graph.op('LayerNormalization', [x, `${name}.weight`, `${name}.bias`], { axis: -1, epsilon: { float: normEpsilon } });
  const square = graph.op('ReduceMean', [graph.op('Mul', [x, x]), graph.int([-1])], { keepdims: 1 });
  const root = graph.op('Sqrt', [graph.op('Add', [square, graph.float(normEpsilon)])]);
  return graph.op('Mul', [graph.op('Div', [x, root]), `${name}.weight`]);
}
