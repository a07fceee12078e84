import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kernelModel } from '../adapters/onnx/kernel-graph.ts';
import { configOf, kernelOf } from '../adapters/onnx/kernel-of.ts';
import { graphPython } from '../adapters/onnx/python/graph-worker.ts';
import { adapter as openvino } from '../adapters/openvino/adapter.ts';
import { adapter as ortPython } from '../adapters/ort-python/adapter.ts';
import type { Adapter, KernelRequest } from '../src/contract/adapter.ts';
import type { Shape } from '../src/contract/shape.ts';
import { createInputs } from '../src/inputs/create-inputs.ts';
import { bareLoop, comparePairs } from './fresh-pairs.ts';
import type { TimedArm } from './fresh-pairs.ts';

// Do the workers of OpenVINO and PyPI's ONNX Runtime add anything? The same ONNX model in the worker and in a bare Python loop, both resident
// and one active at a time, in rounds ABBA and BAAB in turn, in blocks of fresh pairs. `npm run bench:graphs-overhead [blocks] [threads]`
const blocks = Number(process.argv[2] ?? 6);
const threads = Number(process.argv[3] ?? 1);
const shape: Shape = { batch: 1, heads: 8, kvHeads: 8, queries: 1024, keys: 1024, headDim: 64, causal: true, dtype: 'f32' };
const { inputs } = await createInputs({ kind: 'gaussian', shape, seed: 1, wantsGate: false });

async function throughWorker(adapter: Adapter, request: KernelRequest): Promise<TimedArm> {
  const prepared = await adapter.prepare(request);
  if ('unsupported' in prepared) throw new Error(prepared.unsupported);
  return { time: (calls) => prepared.timeCalls!(calls), end: () => prepared.dispose() };
}

const folder = await mkdtemp(join(tmpdir(), 'attnswap-bare-'));
try {
  for (const [adapter, backend, runtime] of [
    [openvino, 'openvino-cpu', 'openvino'],
    [ortPython, 'ort-cpu', 'onnxruntime'],
  ] as const) {
    const request: KernelRequest = { backend, variant: 'dense', kernel: 'tiled', parameters: {}, inputs, purpose: 'latency', threads };
    const kernel = kernelOf(request, configOf(request));
    if ('unsupported' in kernel) throw new Error(kernel.unsupported);
    const model = join(folder, 'kernel.onnx');
    await writeFile(model, kernelModel(kernel, configOf(request)));
    const compared = await comparePairs({
      worker: () => throughWorker(adapter, request),
      bare: () => bareLoop(graphPython(), './graphs_bare_loop.py', runtime, model, String(shape.queries), String(threads)),
      blocks,
      rounds: 12,
      calls: 3,
      warmUp: 5,
    });
    console.log(`${backend}, dense.tiled at ${shape.queries}: ${compared}`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
