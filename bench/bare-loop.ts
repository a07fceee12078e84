import * as ort from '../src/processes/onnxruntime.ts';
import { feedsOf } from '../adapters/onnx/call.ts';
import { kernelModel } from '../adapters/onnx/kernel-graph.ts';
import { configOf } from '../adapters/onnx/kernel-of.ts';
import { kernels } from '../adapters/onnx/kernels/index.ts';
import { createInputs } from '../src/inputs/create-inputs.ts';
import { serveBareLoop } from './bare-arm.ts';

// A cell's model and inputs in a bare onnxruntime-node loop.
await serveBareLoop(async ({ backend, variant, kernel: name, inputs: kind, shape, seed }) => {
  const kernel = kernels.find((known) => known.variant === variant.name && known.kernel === name);
  if (kernel === undefined) throw new Error('no such kernel');
  const { inputs } = await createInputs({ kind, shape, seed, wantsGate: false });
  const request = { backend, variant: variant.name, parameters: variant.params, kernel: name, inputs, purpose: 'latency' as const };
  const session = await ort.InferenceSession.create(kernelModel(kernel, configOf(request)), {
    executionProviders: ['cpu'],
    logSeverityLevel: 3,
  });
  const feeds = feedsOf(request);
  return () => session.run(feeds);
});
