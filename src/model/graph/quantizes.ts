import type { GraphProto } from 'onnx-buf';
import { subgraphsOf } from './graph-index.ts';

const quantizers = new Set(['QuantizeLinear', 'DynamicQuantizeLinear', 'DynamicQuantizeMatMul']);

/** Whether a model rounds to whole steps somewhere. */
export function quantizes({ node }: GraphProto): boolean {
  return node.some((each) => quantizers.has(each.opType) || subgraphsOf(each).some(quantizes));
}
