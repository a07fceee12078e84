import type { GraphBuilder, Value } from './graph.ts';
import { elementTypes } from './graph.ts';
import type { KernelConfig } from './kernel.ts';

/** x·weights/√√rank, `[batch, heads, n, rank]`: the product of a projected query and a projected key is γ − b. */
export function projected(graph: GraphBuilder, tensor: Value, weights: Value, type: KernelConfig['type']): Value {
  const rank = graph.op('Cast', [graph.op('Squeeze', [graph.op('Shape', [weights], { start: 2, end: 3 })])], { to: elementTypes.f32 });
  const factor = graph.op('Pow', [rank, graph.float(-0.25)]);
  const product = graph.op('MatMul', [tensor, weights]);
  return graph.op('Mul', [product, type === 'f32' ? factor : graph.op('Cast', [factor], { to: elementTypes.f16 })]);
}
