import type { Shape } from '../../../src/contract/shape.ts';
import type { Parameters } from '../../../src/contract/variant.ts';
import { ceilTimes, complementOf, decimalOf } from '../../../src/variants/decimal.ts';
import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import { elementTypes } from '../../../src/model/graph/element-types.ts';
import { projectedQueries } from '../gate.ts';
import type { KernelConfig, KernelInputs } from '../kernel.ts';
import { range } from '../tiles.ts';
import { denseTiled } from './dense-tiled.ts';
import { ceilShare } from './topk-tiled.ts';

/**
 * Gates of queries around tiled dense attention: it is given the open queries alone, with `form=query` times their gate, which scales their logits;
 * with `form=output` its outputs are. `tau` opens as many as the data say, so that all are computed and the closed ones zeroed.
 */
export function queryGated(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const { sparsity, tau, form } = config.parameters;
  const gates = queryGates(graph, inputs, config);
  const multiplied = (tensor: Value, by: Value) => graph.op('Mul', [tensor, by]);
  const attended = (query: Value, gate: Value): Value => {
    const open = graph.op('Sigmoid', [gate]);
    const given = form === 'query' ? multiplied(query, open) : query;
    const output = denseTiled.build(graph, { ...inputs, query: given }, config);
    const scaled = form === 'output' ? multiplied(output, open) : output;
    if (tau === undefined) return scaled;
    const stays = graph.op('GreaterOrEqual', [open, graph.scalar(Number(tau), config.type)]);
    return multiplied(scaled, graph.op('Cast', [stays], { to: elementTypes[config.type] }));
  };
  if (tau !== undefined || Number(sparsity) === 0) return attended(inputs.query, gates);
  return amongOpen(graph, { query: inputs.query, gates }, config, attended);
}

/** γ of each query, `[batch, heads, queries, 1]`. */
function queryGates(graph: GraphBuilder, { query, gate }: KernelInputs, config: KernelConfig): Value {
  const projected = projectedQueries(graph, query, gate!.u, config.type);
  const sum = graph.op('ReduceSum', [projected, graph.int([-1])], { keepdims: 1 });
  return graph.op('Add', [sum, graph.op('Unsqueeze', [gate!.b, graph.int([1, 2])])]);
}

/** `attended` of the most open queries, and zeros in the place of all others. */
function amongOpen(
  graph: GraphBuilder,
  { query, gates }: { query: Value; gates: Value },
  { parameters: { sparsity }, type }: KernelConfig,
  attended: (query: Value, gate: Value) => Value,
): Value {
  const count = ceilShare(graph, graph.sizes(query, 2, 3), complementOf(decimalOf(Number(sparsity))));
  const [gate = '', index = ''] = graph.ops('TopK', [gates, count], { axis: 2, largest: 1, sorted: 1 }, 2);
  const output = attended(graph.op('GatherND', [query, index], { batch_dims: 2 }), gate);
  // Each query reads its row of the output, closed ones a row of zeros behind it: scattering whole rows takes longer, a tenth of the attention at 1024.
  const padded = graph.op('Pad', [output, graph.int([0, 0, 0, 0, 0, 0, 1, 0]), graph.scalar(0, type)]);
  const behind = graph.op('Expand', [count, graph.op('Shape', [gates])]);
  const places = range(graph, graph.op('Squeeze', [count]));
  const ranks = graph.op('Expand', [graph.op('Unsqueeze', [places, graph.int([1])]), graph.op('Shape', [index])]);
  return graph.op('GatherND', [padded, graph.op('ScatterElements', [behind, index, ranks], { axis: 2 })], { batch_dims: 2 });
}

/** q·k products of all heads: of the queries that `sparsity` leaves, or of all. */
export function queryGatedPairs(parameters: Parameters, shape: Shape): number {
  const share = complementOf(decimalOf(Number(parameters['sparsity'] ?? 0)));
  return denseTiled.scoredPairs(parameters, { ...shape, queries: ceilTimes(share, shape.queries) });
}
