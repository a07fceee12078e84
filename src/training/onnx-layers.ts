import type { GraphBuilder, Value } from '../model/graph/graph-builder.ts';
import type { ModelParts } from './model-parts.ts';
import { normEpsilon } from './reference-layers.ts';
import { parameterAt } from './testbed.ts';

type Parts = Pick<ModelParts, 'graph' | 'testbed'>;

/** x·W, the parameter `name`. */
export function linear({ graph, testbed }: Parts, x: Value, name: string): Value {
  return graph.op('MatMul', [x, parameterAt(testbed, name)]);
}

/** The logits of states. */
export function head(parts: Parts, x: Value): Value {
  return linear(parts, lastNorm(parts, x), 'head');
}

/** What the heads read of states. */
export function lastNorm(parts: Parts, x: Value): Value {
  return parts.testbed.normPlacement === 'before' ? norm(parts, x, 'norm') : x;
}

/** gelu(x·in)·out. */
export function mlp(parts: Parts, x: Value, name: string): Value {
  return linear(parts, parts.graph.op('Gelu', [linear(parts, x, `${name}.in`)]), `${name}.out`);
}

/** The first `length` rows of a table. */
export function slicedRows(graph: GraphBuilder, table: Value, length: Value): Value {
  return graph.op('Slice', [table, graph.int([0]), length, graph.int([0])]);
}

/** LayerNorm as its operator; RMSNorm written out, as the standard has it from opset 23 only. */
export function norm({ graph, testbed }: Parts, x: Value, name: string): Value {
  const [weight, bias] = [parameterAt(testbed, `${name}.weight`), parameterAt(testbed, `${name}.bias`)];
  if (testbed.norm === 'layer') return graph.op('LayerNormalization', [x, weight, bias], { axis: -1, epsilon: { float: normEpsilon } });
  const square = graph.op('ReduceMean', [graph.op('Mul', [x, x]), graph.int([-1])], { keepdims: 1 });
  const root = graph.op('Sqrt', [graph.op('Add', [square, graph.float(normEpsilon)])]);
  return graph.op('Mul', [graph.op('Div', [x, root]), weight]);
}
