import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { configOf, kernelModel, kernelOf } from '../adapters/onnx/kernel-graph.ts';
import { graphPython } from '../adapters/onnx/python/graph-worker.ts';
import { adapter as openvino } from '../adapters/openvino/adapter.ts';
import { adapter as ortPython } from '../adapters/ort-python/adapter.ts';
import type { Adapter, KernelRequest } from '../src/contract/adapter.ts';
import type { Shape } from '../src/contract/shape.ts';
import { createInputs } from '../src/inputs/create-inputs.ts';
import { median } from '../src/statistics/order-statistics.ts';
import { meanInterval } from '../src/statistics/student.ts';

// Do the workers of OpenVINO and PyPI's ONNX Runtime add anything? The same ONNX model in the worker and in a bare Python loop, both resident
// and one active at a time, in rounds ABBA and BAAB in turn, in blocks of fresh pairs. `npm run bench:graphs-overhead [blocks] [threads]`
const blocks = Number(process.argv[2] ?? 6);
const threads = Number(process.argv[3] ?? 1);
const rounds = 12;
const shape: Shape = { batch: 1, heads: 8, kvHeads: 8, queries: 1024, keys: 1024, headDim: 64, causal: true, dtype: 'f32' };
const script = fileURLToPath(new URL('./graphs_bare_loop.py', import.meta.url));
const { inputs } = await createInputs({ kind: 'gaussian', shape, seed: 1, wantsGate: false });

interface Arm {
  time(calls: number): Promise<number>;
  end(): unknown;
}

async function throughWorker(adapter: Adapter, request: KernelRequest): Promise<Arm> {
  const prepared = await adapter.prepare(request);
  if ('unsupported' in prepared) throw new Error(prepared.unsupported);
  return { time: (calls) => prepared.timeCalls!(calls), end: () => prepared.dispose() };
}

function bare(runtime: string, model: string): Arm {
  const child = spawn(graphPython(), [script, runtime, model, String(shape.queries), String(threads)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async time(calls) {
      child.stdin.write(`${calls}\n`);
      return Number((await lines.next()).value);
    },
    end: () => child.stdin.end(),
  };
}

/** The median ratio, worker over bare loop, of the rounds of one fresh pair. */
async function block(worker: Arm, loop: Arm): Promise<number> {
  const arms = { worker, loop };
  const sample = async (arm: keyof typeof arms) => (await arms[arm].time(3)) / 3;
  for (const arm of ['worker', 'loop'] as const) for (let warm = 0; warm < 5; warm++) await sample(arm);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const sums = { worker: 0, loop: 0 };
    for (const arm of round % 2 === 0 ? (['worker', 'loop', 'loop', 'worker'] as const) : (['loop', 'worker', 'worker', 'loop'] as const))
      sums[arm] += await sample(arm);
    ratios.push(sums.worker / sums.loop);
  }
  await Promise.all([worker.end(), loop.end()]);
  return median(ratios);
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
    const ratios: number[] = [];
    for (let index = 0; index < blocks; index++) ratios.push(await block(await throughWorker(adapter, request), bare(runtime, model)));
    const { mean, low, high } = meanInterval(ratios.map(Math.log), 0.025);
    const [estimate, from, to] = [mean, low, high].map((log) => Math.exp(log).toFixed(3));
    console.log(`${backend}, dense.tiled at ${shape.queries}: worker over bare loop ${estimate} [${from}, ${to}] over ${blocks} pairs`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
