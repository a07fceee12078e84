import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import { elementTypes } from '../../../src/model/graph/element-types.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from '../kernel.ts';
import { addBiases, causalBias, lengths, range, shape, zeroEmptyRows } from '../tiles.ts';
import { keySource } from './dense-tiled.ts';

/** `[batch, heads, n, d]` → `[batch, n, heads·d]`, the layout that the operators take. */
function packHeads(graph: GraphBuilder, tensor: Value): Value {
  return graph.op('Reshape', [graph.op('Transpose', [tensor], { perm: [0, 2, 1, 3] }), graph.int([0, 0, -1])]);
}

function unpackHeads(graph: GraphBuilder, tensor: Value, config: KernelConfig): Value {
  const split = graph.op('Reshape', [tensor, graph.int([0, 0, config.heads, config.headDim])]);
  return graph.op('Transpose', [split], { perm: [0, 2, 1, 3] });
}

/** com.microsoft GroupQueryAttention: always causal, and tiled on the CPU from ONNX Runtime 1.27 on. */
function groupQueryAttention(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const { queries } = lengths(graph, inputs);
  const batch = graph.sizes(inputs.query, 0, 1);
  const last = graph.op('Cast', [graph.op('Sub', [queries, graph.int(1)])], { to: elementTypes.i32 });
  const lastKeys = graph.op('Expand', [last, graph.op('Concat', [batch, graph.int([1])], { axis: 0 })]);
  const total = graph.op('Cast', [queries], { to: elementTypes.i32 });
  const packed = [inputs.query, inputs.key, inputs.value].map((tensor) => packHeads(graph, tensor));
  const attributes = {
    num_heads: config.heads,
    kv_num_heads: config.kvHeads,
    scale: { float: config.scale },
    ...(config.softcap !== undefined && { softcap: { float: config.softcap } }),
  };
  const bias = config.biased || config.masked ? fullBias(graph, inputs, config) : undefined;
  const biased = bias === undefined && inputs.sinks === undefined ? [] : ['', '', '', bias ?? ''];
  const sinks = inputs.sinks === undefined ? [] : [inputs.sinks];
  const [output = ''] = graph.ops('GroupQueryAttention', [...packed, '', '', lastKeys, total, ...biased, ...sinks], attributes, 3);
  const unpacked = unpackHeads(graph, output, config);
  return bias === undefined ? unpacked : zeroEmptyRows(graph, unpacked, bias, config.type);
}

/** Whether GroupQueryAttention serves: always causal, and it refuses other head dimensions. */
function isGrouped({ causal, selfAttention, headDim }: KernelConfig): boolean {
  return causal && selfAttention && headDim % 8 === 0;
}

/** Whether only GroupQueryAttention serves: no other operator of ONNX Runtime caps logits softly or takes sinks. */
function needsGrouped({ softcap, sinks }: KernelConfig): boolean {
  return softcap !== undefined || sinks === true;
}

/** com.microsoft MultiHeadAttention: tiled on the CPU where there is no mask, else it materialises n² logits a head. */
function multiHeadAttention(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const source = keySource(graph, inputs, config);
  const packed = [inputs.query, source.key, source.value].map((tensor) => packHeads(graph, tensor));
  const attributes = { num_heads: config.heads, scale: { float: config.scale } };
  if (!config.causal && !config.masked && !config.biased)
    return unpackHeads(graph, graph.op('MultiHeadAttention', packed, attributes), config);
  const bias = fullBias(graph, inputs, config);
  const output = unpackHeads(graph, graph.op('MultiHeadAttention', [...packed, '', '', bias], attributes), config);
  return zeroEmptyRows(graph, output, bias, config.type);
}

/** Causality, padding and bias as `[1 or batch, 1 or heads, queries, keys]`. */
function fullBias(graph: GraphBuilder, inputs: KernelInputs, config: KernelConfig): Value {
  const { lengths, padding } = keySource(graph, inputs, config);
  const { queries, keys, offset } = lengths;
  const causal = config.causal ? causalBias(graph, range(graph, queries, offset), range(graph, keys), config.type) : undefined;
  const target = shape(graph, [1, 1, queries, keys]);
  return graph.op('Expand', [addBiases(graph, causal, padding, inputs.bias)!, target]);
}

const capless = "ONNX Runtime's WebGPU provider ignores the soft cap of GroupQueryAttention";

/** The fused operator that a user would pick for the case: one operator, tiled wherever ONNX Runtime can. */
export const denseFused: OnnxKernel = {
  variant: 'dense',
  kernel: 'fused',
  takesBias: true,
  takesSoftcap: true,
  // findings/onnxruntime-webgpu-softcap.sh
  capIgnored: { on: { 'onnx-webgpu': capless, 'ort-webgpu': capless }, instead: 'dense.tiled' },
  takesSinks: true,
  summary: 'GroupQueryAttention where causal, MultiHeadAttention elsewhere',
  // Tiled operators skip key tiles beyond the diagonal; how far is the runtime's choice, so the exact half is an estimate.
  scoredPairs(_, { batch, heads, queries, keys, causal }) {
    return batch * heads * (causal && queries === keys ? (queries * (queries + 1)) / 2 : queries * keys);
  },
  refuses(config) {
    if (!needsGrouped(config) || isGrouped(config)) return undefined;
    const what = config.softcap === undefined ? 'attention sinks' : 'a soft cap';
    return `dense.fused takes ${what} only where GroupQueryAttention applies (causal, as many queries as keys, head dimension a multiple of 8); use dense.tiled`;
  },
  build(graph, inputs, config) {
    const grouped = isGrouped(config) && (!config.masked || needsGrouped(config));
    return grouped ? groupQueryAttention(graph, inputs, config) : multiHeadAttention(graph, inputs, config);
  },
};

/** MultiHeadAttention in every case: what graph optimisers write today, which materialises n² logits when causal. */
export const denseMha: OnnxKernel = {
  variant: 'dense',
  kernel: 'mha',
  takesBias: true,
  summary: 'MultiHeadAttention, with a causal or padding bias where needed',
  scoredPairs: (_, { batch, heads, queries, keys }) => batch * heads * queries * keys,
  build: multiHeadAttention,
};
