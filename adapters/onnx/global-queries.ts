import type { GraphBuilder, Value } from '../../src/model/graph/graph-builder.ts';
import type { KernelConfig, KernelInputs } from './kernel.ts';
import type { KeySource } from './kernels/dense-tiled.ts';
import { addBiases, attend, capped, causalBias, range, scaled, scores, slice } from './tiles.ts';

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
  const causal = config.causal ? causalBias(graph, range(graph, computed, offset), range(graph, keys), config.type) : undefined;
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
