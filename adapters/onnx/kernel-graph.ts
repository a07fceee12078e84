import type { KernelGraphRequest, Unsupported } from '../../src/contract/adapter.ts';
import { findVariant } from '../../src/variants/index.ts';
import { GraphBuilder } from '../../src/model/graph/graph-builder.ts';
import type { KernelConfig, KernelInputs, OnnxKernel } from './kernel.ts';
import { kernelOf } from './kernel-of.ts';

const inputNames = ['query', 'key', 'value', 'mask', 'bias', 'sinks', 'gate_u', 'gate_w', 'gate_b'] as const;
export type KernelInputName = (typeof inputNames)[number];

/** A kernel for a model: see {@link Adapter.kernelGraph}. */
export function kernelGraph({ dtype, opset, window, ...request }: KernelGraphRequest): Uint8Array | Unsupported {
  const config = { ...request, type: dtype };
  const kernel = kernelOf(request, config);
  if ('unsupported' in kernel) return kernel;
  if (opset < (kernel.opset ?? 0))
    return { unsupported: `${request.variant}.${request.kernel} needs opset ${kernel.opset}, the model has ${opset}` };
  // Lengths are known when the model runs; what a variant refuses at one position, or at its only length, it refuses at all lengths.
  const { heads, kvHeads, headDim, causal } = request;
  const variant = findVariant(request.variant);
  const length = variant.tokens?.(request.parameters) ?? 1;
  const shape = { batch: 1, heads, kvHeads, queries: length, keys: length, headDim, causal, dtype };
  const refusal = variant.refuses(request.parameters, shape);
  if (refusal !== undefined) return { unsupported: refusal };
  if (window === undefined) return kernelModel(kernel, config, opset);
  const skips = kernel.skipsOutside?.(request.parameters) === true;
  return kernelModel(kernel, skips ? { ...config, biased: false, window } : { ...config, masked: false }, opset);
}

/** One kernel as a model, dynamic in batch and lengths. */
export function kernelModel(kernel: OnnxKernel, config: KernelConfig, opset = kernel.opset): Uint8Array {
  const graph = new GraphBuilder(opset === undefined ? {} : { opset });
  const inputs = declareInputs(graph, kernel.variant, config);
  const value = kernel.build(graph, inputs, config);
  return graph.model([{ name: 'output', value, type: config.type, shape: ['batch', config.heads, 'queries', config.headDim] }]);
}

function declareInputs(
  graph: GraphBuilder,
  variant: string,
  { heads, kvHeads, headDim, masked, biased, sinks, type }: KernelConfig,
): KernelInputs {
  const name = (input: KernelInputName) => input;
  const inputs = {
    query: graph.input(name('query'), type, ['batch', heads, 'queries', headDim]),
    key: graph.input(name('key'), type, ['batch', kvHeads, 'keys', headDim]),
    value: graph.input(name('value'), type, ['batch', kvHeads, 'keys', headDim]),
  };
  const more = {
    ...(masked && { mask: graph.input(name('mask'), 'bool', ['batch', 'keys']) }),
    ...(biased && { bias: graph.input(name('bias'), type, ['bias_batch', 'bias_heads', 'bias_queries', 'bias_keys']) }),
    ...(sinks === true && { sinks: graph.input(name('sinks'), type, [heads]) }),
  };
  if (findVariant(variant).takesGate !== true) return { ...inputs, ...more };
  const gate = {
    u: graph.input(name('gate_u'), type, [heads, headDim, 'rank']),
    w: graph.input(name('gate_w'), type, [heads, headDim, 'rank']),
    b: graph.input(name('gate_b'), type, [heads]),
  };
  return { ...inputs, ...more, gate };
}
