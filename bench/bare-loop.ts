import * as ort from 'onnxruntime-node';
import { configOf } from '../adapters/onnx/adapter.ts';
import { feedsOf } from '../adapters/onnx/call.ts';
import { kernelModel } from '../adapters/onnx/kernel-graph.ts';
import { kernels } from '../adapters/onnx/kernels/index.ts';
import type { CellSpec } from '../src/contract/cell.ts';
import { createInputs } from '../src/inputs/create-inputs.ts';

// A bare onnxruntime-node loop over one cell's model and inputs; prints the median call in nanoseconds.
const cell = JSON.parse(process.argv[2] ?? '{}') as CellSpec;
const kernel = kernels.find(({ variant, kernel: name }) => variant === cell.variant.name && name === cell.kernel);
if (kernel === undefined) throw new Error('no such kernel');
const { inputs } = await createInputs({ kind: cell.inputs, shape: cell.shape, seed: cell.seed, wantsGate: false });
const request = {
  backend: cell.backend,
  variant: cell.variant.name,
  parameters: cell.variant.params,
  kernel: cell.kernel,
  inputs,
  purpose: 'latency' as const,
};
const session = await ort.InferenceSession.create(kernelModel(kernel, configOf(request)), {
  executionProviders: ['cpu'],
  logSeverityLevel: 3,
});
const feeds = feedsOf(request);
const durations: number[] = [];
const start = process.hrtime.bigint();
while (process.hrtime.bigint() - start < 6_000_000_000n) {
  const before = process.hrtime.bigint();
  await session.run(feeds);
  durations.push(Number(process.hrtime.bigint() - before));
}
const warm = durations.slice(Math.floor(durations.length / 2)).sort((a, b) => a - b);
console.log(warm[warm.length >> 1]);
