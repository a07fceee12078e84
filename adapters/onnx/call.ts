import * as ort from '../../src/processes/onnxruntime.ts';
import type { KernelRequest } from '../../src/contract/adapter.ts';
import type { AttentionInputs } from '../../src/contract/inputs.ts';
import { decodeHalf, encodeHalf } from '../../src/inputs/half-precision.ts';
import { findVariant } from '../../src/variants/index.ts';
import type { KernelInputName } from './kernel-graph.ts';

/** The request's tensors under the model's input names. */
export function feedsOf(request: KernelRequest): Record<string, ort.Tensor> {
  const { inputs } = request;
  const { batch, heads, kvHeads, queries, keys, headDim, dtype } = inputs.shape;
  const tensor = (values: Float32Array, dims: number[]) => floatTensor(values, dims, dtype === 'f16');
  const keyDims = [batch, kvHeads, keys, headDim];
  const feeds: Partial<Record<KernelInputName, ort.Tensor>> = {
    query: tensor(inputs.query, [batch, heads, queries, headDim]),
    key: tensor(inputs.key, keyDims),
    value: tensor(inputs.value, keyDims),
  };
  if (inputs.mask !== undefined) feeds.mask = new ort.Tensor('bool', inputs.mask, [batch, keys]);
  if (inputs.bias !== undefined) feeds.bias = tensor(inputs.bias.values, [...inputs.bias.dims]);
  if (inputs.sinks !== undefined) feeds.sinks = tensor(inputs.sinks, [heads]);
  return findVariant(request.variant).takesGate === true ? { ...feeds, ...gateFeeds(inputs, tensor) } : feeds;
}

function gateFeeds({ gate, shape }: AttentionInputs, tensor: (values: Float32Array, dims: number[]) => ort.Tensor) {
  if (gate === undefined) return {};
  const dims = [shape.heads, shape.headDim, gate.rank];
  return { gate_u: tensor(gate.u, dims), gate_w: tensor(gate.w, dims), gate_b: tensor(gate.b, [shape.heads]) };
}

function floatTensor(values: Float32Array, dims: number[], half: boolean): ort.Tensor {
  if (!half) return new ort.Tensor('float32', values, dims);
  return halfTensor(Uint16Array.from(values, encodeHalf), dims);
}

/** A float16 tensor from bit patterns. */
export function halfTensor(bits: Uint16Array, dims: number[]): ort.Tensor {
  // Where Float16Array exists onnxruntime-common insists on it, and onnxruntime-node 1.30's binding then reads no bytes. Which
  // of the two a process uses is settled with its first tensor: see below.
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

// The first tensor of this process, so that a model whose other inputs come first takes f16 as bit patterns too.
halfTensor(new Uint16Array(1), [1]);
