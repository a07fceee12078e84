import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import { linearSettings } from '../../../src/variants/linear/parameters.ts';
import type { LinearSettings } from '../../../src/variants/linear/parameters.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import { alignQueries, divideByWeights, linearSource, restoreQueries } from '../linear/features.ts';
import { cast, shape, toFloat } from '../tiles.ts';
import { buildChunked, linearChunked } from './linear-chunked.ts';

/** ONNX Runtime's AVX-512 code takes values whose width is a multiple of 32. */
const lanes = 32;

/**
 * LinearAttention, standard or com.microsoft's by the graph's opset: the recurrence itself, position by position. It takes heads packed side by side; here each key/value head
 * is a batch element of its own, so that nothing has to be packed. The sum of the weights is read like a value of ones, by a second operator.
 */
function linearAttention(graph: GraphBuilder, inputs: KernelInputs, settings: LinearSettings, config: KernelConfig): Value {
  const { heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  const source = linearSource(graph, inputs, settings, config);
  const { keys } = source.lengths;
  const query = packGroup(graph, alignQueries(graph, source, config), { kvHeads, group, width: headDim });
  const perHead = (tensor: Value, width: number) => graph.op('Reshape', [tensor, shape(graph, [-1, keys, width])]);
  const key = perHead(source.key, headDim);
  const batch = graph.sizes(key, 0, 1);
  const constant = (value: number, width: number) =>
    graph.op('Expand', [graph.float(value), graph.op('Concat', [batch, shape(graph, [keys, width])], { axis: 0 })]);
  const decay = settings.rule.startsWith('gated') ? perHead(logDecays(graph, inputs, source.key, settings, config), 1) : '';
  const beta = settings.beta === undefined ? '' : constant(settings.beta, 1);
  const attributes = { update_rule: settings.rule.replace('-', '_'), q_num_heads: group, kv_num_heads: 1, scale: { float: 1 } };
  const attend = (value: Value, width: number) => {
    const [output = ''] = graph.ops('LinearAttention', [query, key, value, '', decay, beta], attributes, 2);
    return unpackGroup(graph, output, { kvHeads, group, width });
  };
  const read = attend(perHead(source.value, headDim), headDim);
  if (!settings.normalized) return restoreQueries(graph, read, source, config);
  const sums = attend(constant(1, lanes), lanes);
  const sum = graph.op('Slice', [sums, graph.int([0]), graph.int([1]), graph.int([3])]);
  return restoreQueries(graph, divideByWeights(graph, read, sum), source, config);
}

interface Group {
  readonly kvHeads: number;
  /** Query heads of each. */
  readonly group: number;
  readonly width: number;
}

/** `[batch, kvHeads·group, n, width]` → `[batch·kvHeads, n, group·width]`. */
function packGroup(graph: GraphBuilder, tensor: Value, { kvHeads, group, width }: Group): Value {
  const rows = graph.sizes(tensor, 2, 3);
  const dims = (...sizes: Value[]) => graph.op('Concat', sizes, { axis: 0 });
  if (group === 1) return graph.op('Reshape', [tensor, dims(graph.int([-1]), rows, graph.int([width]))]);
  const split = graph.op('Reshape', [tensor, graph.int([0, kvHeads, group, -1, width])]);
  const side = graph.op('Transpose', [split], { perm: [0, 1, 3, 2, 4] });
  return graph.op('Reshape', [side, dims(graph.int([-1]), rows, graph.int([group * width]))]);
}

/** `[batch·kvHeads, n, group·width]` → `[batch, kvHeads·group, n, width]`. */
function unpackGroup(graph: GraphBuilder, tensor: Value, { kvHeads, group, width }: Group): Value {
  const rows = graph.sizes(tensor, 1, 2);
  const dims = (...sizes: Value[]) => graph.op('Concat', sizes, { axis: 0 });
  if (group === 1) return graph.op('Reshape', [tensor, dims(graph.int([-1, kvHeads]), rows, graph.int([width]))]);
  const split = graph.op('Reshape', [tensor, dims(graph.int([-1, kvHeads]), rows, graph.int([group, width]))]);
  const apart = graph.op('Transpose', [split], { perm: [0, 1, 3, 2, 4] });
  return graph.op('Reshape', [apart, dims(graph.int([0, kvHeads * group]), rows, graph.int([width]))]);
}

/** ln γ of each key/value head and position, 0 where padded: `[batch, kvHeads, keys, 1]`. */
function logDecays(graph: GraphBuilder, inputs: KernelInputs, key: Value, settings: LinearSettings, { kvHeads }: KernelConfig): Value {
  const logs = Array.from({ length: kvHeads }, (_, head) => Math.log(settings.decayOf(head)));
  const each = graph.op('Reshape', [graph.float(logs), graph.int([kvHeads, 1, 1])]);
  if (inputs.mask !== undefined) return graph.op('Mul', [graph.op('Unsqueeze', [toFloat(graph, inputs.mask), graph.int([1, 3])]), each]);
  return graph.op('Expand', [each, graph.op('Concat', [graph.sizes(key, 0, 3), graph.int([1])], { axis: 0 })]);
}

/** ONNX Runtime's own operator where causal; elsewhere, as it always is causal, the products of `linear.chunked`. */
export const linearFused: OnnxKernel = {
  variant: 'linear',
  kernel: 'fused',
  summary: 'LinearAttention where causal, the products of linear.chunked elsewhere',
  scoredPairs: (parameters, shape) => (shape.causal ? 0 : linearChunked.scoredPairs(parameters, shape)),
  build(graph, inputs, config) {
    if (!config.causal) return buildChunked(graph, inputs, config);
    return cast(graph, linearAttention(graph, inputs, linearSettings(config.parameters), config), config.type);
  },
};

/** The same by the operator that became standard in opset 27. */
export const linearStandard: OnnxKernel = {
  ...linearFused,
  kernel: 'standard',
  summary: 'LinearAttention of opset 27 where causal, the products of linear.chunked elsewhere',
  opset: 27,
};
