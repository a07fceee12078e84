import * as ort from 'onnxruntime-node';
import type { KernelRequest } from '../../src/contract/adapter.ts';
import type { AttentionInputs } from '../../src/contract/inputs.ts';
import { decodeHalf, encodeHalf } from '../../src/inputs/half-precision.ts';
import { GraphBuilder } from './graph.ts';
import type { KernelInputs, OnnxKernel } from './kernel.ts';

const inputNames = ['query', 'key', 'value', 'mask', 'gate_u', 'gate_w', 'gate_b'] as const;
type InputName = (typeof inputNames)[number];

/** The model of one kernel for one request: dynamic in batch and lengths. */
export function kernelModel(kernel: OnnxKernel, request: KernelRequest): Uint8Array {
  const { shape, scale, mask } = request.inputs;
  const type = shape.dtype === 'f16' ? 'f16' : 'f32';
  const graph = new GraphBuilder();
  const inputs = declareInputs(graph, request, type);
  const output = kernel.build(graph, inputs, {
    parameters: request.parameters,
    heads: shape.heads,
    kvHeads: shape.kvHeads,
    headDim: shape.headDim,
    causal: shape.causal,
    selfAttention: shape.queries === shape.keys,
    masked: mask !== undefined,
    type,
    scale,
  });
  return graph.model([{ name: 'output', value: output, type, shape: ['batch', shape.heads, 'queries', shape.headDim] }]);
}

function declareInputs(graph: GraphBuilder, request: KernelRequest, type: 'f32' | 'f16'): KernelInputs {
  const { heads, kvHeads, headDim } = request.inputs.shape;
  const name = (input: InputName) => input;
  const inputs = {
    query: graph.input(name('query'), type, ['batch', heads, 'queries', headDim]),
    key: graph.input(name('key'), type, ['batch', kvHeads, 'keys', headDim]),
    value: graph.input(name('value'), type, ['batch', kvHeads, 'keys', headDim]),
  };
  const mask = request.inputs.mask === undefined ? {} : { mask: graph.input(name('mask'), 'bool', ['batch', 'keys']) };
  if (request.variant !== 'gated') return { ...inputs, ...mask };
  const gate = {
    u: graph.input(name('gate_u'), type, [heads, headDim, 'rank']),
    w: graph.input(name('gate_w'), type, [heads, headDim, 'rank']),
    b: graph.input(name('gate_b'), type, [heads]),
  };
  return { ...inputs, ...mask, gate };
}

/** The request's tensors under the model's input names. */
export function feedsOf(request: KernelRequest): Record<string, ort.Tensor> {
  const { inputs } = request;
  const { batch, heads, kvHeads, queries, keys, headDim, dtype } = inputs.shape;
  const tensor = (values: Float32Array, dims: number[]) => floatTensor(values, dims, dtype === 'f16');
  const keyDims = [batch, kvHeads, keys, headDim];
  const feeds: Partial<Record<InputName, ort.Tensor>> = {
    query: tensor(inputs.query, [batch, heads, queries, headDim]),
    key: tensor(inputs.key, keyDims),
    value: tensor(inputs.value, keyDims),
  };
  if (inputs.mask !== undefined) feeds.mask = new ort.Tensor('bool', inputs.mask, [batch, keys]);
  return request.variant === 'gated' ? { ...feeds, ...gateFeeds(inputs, tensor) } : feeds;
}

function gateFeeds({ gate, shape }: AttentionInputs, tensor: (values: Float32Array, dims: number[]) => ort.Tensor) {
  if (gate === undefined) return {};
  const dims = [shape.heads, shape.headDim, gate.rank];
  return { gate_u: tensor(gate.u, dims), gate_w: tensor(gate.w, dims), gate_b: tensor(gate.b, [shape.heads]) };
}

function floatTensor(values: Float32Array, dims: number[], half: boolean): ort.Tensor {
  if (!half) return new ort.Tensor('float32', values, dims);
  const bits = Uint16Array.from(values, encodeHalf);
  // Where Float16Array exists onnxruntime-common insists on it, and onnxruntime-node 1.30's binding then reads no bytes. Which
  // of the two a process uses is settled with its first tensor.
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, 'Float16Array');
  if (descriptor !== undefined) Reflect.deleteProperty(globalThis, 'Float16Array');
  try {
    return new ort.Tensor('float16', bits, dims);
  } finally {
    if (descriptor !== undefined) Object.defineProperty(globalThis, 'Float16Array', descriptor);
  }
}

/** A float tensor's values as f32. Node 24 hands f16 out as Float16Array, older ones as bit patterns. */
export function outputValues(tensor: ort.Tensor): Float32Array {
  if (tensor.type === 'float32') return tensor.data as Float32Array;
  const { data } = tensor;
  return data instanceof Uint16Array ? Float32Array.from(data, decodeHalf) : Float32Array.from(data as unknown as ArrayLike<number>);
}
