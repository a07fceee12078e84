import type { GraphBuilder, Value } from '../../src/model/graph/graph-builder.ts';
import { elementTypes } from '../../src/model/graph/element-types.ts';
import type { KernelConfig } from './kernel.ts';

/**
 * Queries times U, divided by √rank: their product with {@link projectedKeys} is γ − b. The factor is on one side alone, so
 * that whole-numbered gates of a square rank stay exact and their ties are ties. `[batch, heads, n, rank]`.
 */
export function projectedQueries(graph: GraphBuilder, tensor: Value, weights: Value, type: KernelConfig['type']): Value {
  const rank = graph.op('Cast', [graph.op('Squeeze', [graph.sizes(weights, 2, 3)])], { to: elementTypes.f32 });
  const factor = graph.op('Pow', [rank, graph.float(-0.5)]);
  const product = graph.op('MatMul', [tensor, weights]);
  return graph.op('Mul', [product, type === 'f32' ? factor : graph.op('Cast', [factor], { to: elementTypes.f16 })]);
}

/** Keys times W, `[batch, heads, n, rank]`. */
export function projectedKeys(graph: GraphBuilder, tensor: Value, weights: Value): Value {
  return graph.op('MatMul', [tensor, weights]);
}
