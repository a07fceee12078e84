import { adapter } from '../adapters/torch/adapter.ts';
import type { Shape } from '../src/contract/shape.ts';
import { createInputs } from '../src/inputs/create-inputs.ts';
import { findPython } from '../adapters/torch/python.ts';
import { bareLoop, comparePairs } from './fresh-pairs.ts';
import type { TimedArm } from './fresh-pairs.ts';

// Does the worker protocol add anything? The same PyTorch calls in the worker and in a bare Python loop.
// `npm run bench:torch-overhead [blocks] [threads]`
const blocks = Number(process.argv[2] ?? 6);
const threads = Number(process.argv[3] ?? 1);
const length = 1024;
const shape: Shape = { batch: 1, heads: 8, kvHeads: 8, queries: length, keys: length, headDim: 64, causal: true, dtype: 'f32' };

async function throughWorker(kernel: string): Promise<TimedArm> {
  const { inputs } = await createInputs({ kind: 'gaussian', shape, seed: 1, wantsGate: false });
  const request = { backend: 'torch-cpu', variant: 'dense', parameters: {}, kernel, inputs, purpose: 'latency', threads } as const;
  const prepared = await adapter.prepare(request);
  if ('unsupported' in prepared) throw new Error(prepared.unsupported);
  return { time: (calls) => prepared.timeCalls!(calls), end: () => prepared.dispose() };
}

for (const kernel of ['naive', 'tiled']) {
  const arms = {
    worker: () => throughWorker(kernel),
    bare: () => bareLoop(findPython(), './torch_bare_loop.py', kernel, String(length), String(threads)),
  };
  const told = await comparePairs({ ...arms, blocks, rounds: 12, calls: 3, warmUp: 5 });
  console.log(`dense.${kernel} at ${length}, ${threads} thread${threads === 1 ? '' : 's'}: ${told}`);
}
