import type { AdapterEntry } from '../src/contract/adapter.ts';
import { ownModule } from '../src/processes/own-module.ts';

/** Every adapter: what it is called, which backends it has, and where its module is. Nothing is loaded until it is used. */
export const adapters: readonly AdapterEntry[] = [
  {
    name: 'onnx',
    backends: ['onnx-cpu', 'onnx-webgpu', 'onnx-cuda'],
    module: ownModule('./onnx/adapter', import.meta.url).href,
    load: async () => (await import('./onnx/with-graphs.ts')).adapter,
  },
  {
    name: 'torch',
    backends: ['torch-cpu', 'torch-cuda'],
    module: ownModule('./torch/adapter', import.meta.url).href,
    load: async () => (await import('./torch/adapter.ts')).adapter,
  },
  {
    name: 'tfjs',
    backends: ['tfjs-cpu', 'tfjs-wasm', 'tfjs-webgpu', 'tfjs-node', 'tfjs-node-gpu'],
    module: ownModule('./tfjs/adapter', import.meta.url).href,
    load: async () => (await import('./tfjs/adapter.ts')).adapter,
  },
  {
    name: 'openvino',
    backends: ['openvino-cpu', 'openvino-gpu', 'openvino-npu'],
    module: ownModule('./openvino/adapter', import.meta.url).href,
    load: async () => (await import('./openvino/adapter.ts')).adapter,
  },
  {
    name: 'ort-python',
    backends: ['ort-cpu', 'ort-openvino', 'ort-qnn', 'ort-tensorrt-rtx', 'ort-webgpu', 'ort-mlx', 'ort-coreml'],
    module: ownModule('./ort-python/adapter', import.meta.url).href,
    load: async () => (await import('./ort-python/adapter.ts')).adapter,
  },
];
