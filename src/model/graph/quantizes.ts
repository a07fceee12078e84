import type { AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from 'onnx-buf';
import { TensorProto_DataType as DataType } from 'onnx-buf';
import { subgraphsOf } from './graph-index.ts';

const quantizers = new Set(['QuantizeLinear', 'DynamicQuantizeLinear', 'DynamicQuantizeMatMul']);

/** Whether a model rounds to whole steps somewhere. */
export function quantizes({ node }: GraphProto): boolean {
  return node.some((each) => quantizers.has(each.opType) || subgraphsOf(each).some(quantizes));
}

/**
 * Operators of ONNX and com.microsoft on quantized numbers: QLinearMatMul and QAttention, MatMulInteger, DequantizeLinear and GatherBlockQuantized,
 * MatMulNBits, MatMulBnb4, MatMulFpQ4, DequantizeBFP. Runtimes may quantize activations to multiply with quantized weights.
 */
const onQuantized = /^Q[A-Z]|Integer|[Qq]uantize|NBits|Bnb4|FpQ4|BFP/;

/** Types with fewer digits than f32 has; whole numbers are indices and masks, too. */
const short = new Set<number>([
  DataType.FLOAT16,
  DataType.BFLOAT16,
  DataType.FLOAT8E4M3FN,
  DataType.FLOAT8E4M3FNUZ,
  DataType.FLOAT8E5M2,
  DataType.FLOAT8E5M2FNUZ,
  DataType.FLOAT4E2M1,
]);

/** Attributes that hold a type: of Cast; of random numbers, EyeLike and others. */
const typed = new Set(['to', 'dtype']);

/** Whether a model computes on quantized numbers or in half precision somewhere: two runtimes then differ by more than the rounding of f32. */
export function isCoarse({ graph, functions }: Pick<ModelProto, 'graph' | 'functions'>): boolean {
  return (graph !== undefined && isCoarseGraph(graph)) || functions.some(({ node }: FunctionProto) => node.some(isCoarseNode));
}

function isCoarseGraph({ node, initializer, input, output }: GraphProto): boolean {
  return initializer.some(isShort) || [...input, ...output].some(isShortValue) || node.some(isCoarseNode);
}

function isCoarseNode(node: NodeProto): boolean {
  const isTyped = ({ name, i, t }: AttributeProto) => (t !== undefined && isShort(t)) || (typed.has(name) && short.has(Number(i)));
  return onQuantized.test(node.opType) || node.attribute.some(isTyped) || subgraphsOf(node).some(isCoarseGraph);
}

function isShort({ dataType }: TensorProto): boolean {
  return short.has(dataType);
}

function isShortValue({ type }: ValueInfoProto): boolean {
  return type?.value.case === 'tensorType' && short.has(type.value.value.elemType);
}
