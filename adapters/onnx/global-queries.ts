import type { GraphBuilder, Value } from '../../src/model/graph/graph-builder.ts';
import type { KernelConfig, KernelInputs } from './kernel.ts';
import type { KeySource } from './kernels/dense-tiled.ts';
import { addBiases, attend, biasWhereNegative, capped, scaled, scores, slice, toFloat } from './tiles.ts';

/** Rows of the queries at positions 0 … globals−1, which see every allowed key, put in place of the band's. */
export function withGlobalQueries(
  graph: GraphBuilder,
  band: Value,
  { query, sinks }: KernelInputs,
  source: KeySource,
  config: KernelConfig,
): Value {
  const { queries, keys, offset } = source.lengths;
  const globals = graph.int(Number(config.parameters['globals']));
  const rows = graph.op('Max', [graph.op('Min', [graph.op('Sub', [globals, offset]), queries]), graph.int(0)]);
  // One row at least, for reductions over no rows fail; it is cut off again where no query is global.
  const computed = graph.op('Max', [rows, graph.int(1)]);
  const position = toFloat(graph, graph.op('Range', [offset, graph.op('Add', [offset, computed]), graph.int(1)]));
  const column = toFloat(graph, graph.op('Range', [graph.int(0), keys, graph.int(1)]));
  const distance = graph.op('Sub', [graph.op('Unsqueeze', [position, graph.int([1])]), column]);
  const causal = config.causal ? biasWhereNegative(graph, distance, config.type) : undefined;
  const score = capped(graph, scores(graph, scaled(graph, slice(graph, query, graph.int(0), computed, 2), config), source.key, 4), config);
  const own = source.bias === undefined ? undefined : slice(graph, source.bias, graph.int(0), computed, 2);
  const bias = addBiases(graph, causal, source.padding, own);
  const first = attend(graph, { score, bias, value: source.value, sinks, mayBeEmpty: mayBeEmpty(config) }, config.type);
  return graph.op('Concat', [slice(graph, first, graph.int(0), rows, 2), slice(graph, band, rows, queries, 2)], { axis: 2 });
}

/** Whether a query may see no key, not even its own. */
export function mayBeEmpty({ masked, biased }: KernelConfig): boolean {
  return masked || biased;
}
