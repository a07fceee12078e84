import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import { addBiases, attend, capped, causalBias, range, scaled, scores } from '../tiles.ts';
import { keySource } from './dense-tiled.ts';

function build(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const source = keySource(graph, inputs, config);
  const { queries, keys, offset } = source.lengths;
  const causal = config.causal ? causalBias(graph, range(graph, queries, offset), range(graph, keys), config.type) : undefined;
  const score = capped(graph, scores(graph, scaled(graph, inputs.query, config), source.key, 4), config);
  const bias = addBiases(graph, causal, source.padding, inputs.bias);
  return attend(graph, { score, bias, value: source.value, sinks: inputs.sinks, mayBeEmpty: true }, config.type);
}

/** The plain graph that exporters write: all n² logits, then softmax, then all n² weights. */
export const denseNaive: OnnxKernel = {
  variant: 'dense',
  kernel: 'naive',
  takesBias: true,
  takesSoftcap: true,
  takesSinks: true,
  summary: 'MatMul, Add, Softmax, MatMul over all n² logits',
  scoredPairs: (_, { batch, heads, queries, keys }) => batch * heads * queries * keys,
  build,
};
