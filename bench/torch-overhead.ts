import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { adapter } from '../adapters/torch/adapter.ts';
import { findPython } from '../adapters/torch/python.ts';
import type { Shape } from '../src/contract/shape.ts';
import { createInputs } from '../src/inputs/create-inputs.ts';
import { median } from '../src/statistics/order-statistics.ts';

// Does the worker protocol add anything? The same PyTorch calls in the worker and in a bare Python loop, both resident and one active
// at a time, in rounds ABBA and BAAB in turn: a load from outside meets both. A process keeps its own luck, so blocks of fresh pairs
// are compared. `npm run bench:torch-overhead [blocks] [threads]`
const blocks = Number(process.argv[2] ?? 6);
const rounds = 12;
const threads = Number(process.argv[3] ?? 1);
const length = 1024;
const shape: Shape = { batch: 1, heads: 8, kvHeads: 8, queries: length, keys: length, headDim: 64, causal: true, dtype: 'f32' };
const bareLoop = fileURLToPath(new URL('./torch_bare_loop.py', import.meta.url));

type TimeCalls = (calls: number) => Promise<number>;

async function throughWorker(kernel: string): Promise<{ time: TimeCalls; end(): Promise<void> }> {
  const { inputs } = await createInputs({ kind: 'gaussian', shape, seed: 1, wantsGate: false });
  const request = { backend: 'torch-cpu', variant: 'dense', parameters: {}, kernel, inputs, purpose: 'latency', threads } as const;
  const prepared = await adapter.prepare(request);
  if ('unsupported' in prepared) throw new Error(prepared.unsupported);
  return { time: (calls) => prepared.timeCalls!(calls), end: () => prepared.dispose() };
}

function bare(kernel: string): { time: TimeCalls; end(): void } {
  const child = spawn(findPython(), [bareLoop, kernel, String(length), String(threads)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const time = async (calls: number): Promise<number> => {
    child.stdin.write(`${calls}\n`);
    return Number((await lines.next()).value);
  };
  return { time, end: () => child.stdin.end() };
}

/** Nanoseconds of one call by either arm, and the median ratio over the rounds of one fresh pair. */
async function block(kernel: string) {
  const arms = { worker: await throughWorker(kernel), bare: bare(kernel) };
  const sample = async (arm: keyof typeof arms) => (await arms[arm].time(3)) / 3;
  for (const arm of ['worker', 'bare'] as const) for (let warm = 0; warm < 5; warm++) await sample(arm);
  const ratios: number[] = [];
  const nanoseconds = { worker: [] as number[], bare: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const sums = { worker: 0, bare: 0 };
    for (const arm of round % 2 === 0 ? (['worker', 'bare', 'bare', 'worker'] as const) : (['bare', 'worker', 'worker', 'bare'] as const)) {
      const time = await sample(arm);
      sums[arm] += time;
      nanoseconds[arm].push(time);
    }
    ratios.push(sums.worker / sums.bare);
  }
  await arms.worker.end();
  arms.bare.end();
  return { worker: median(nanoseconds.worker), bare: median(nanoseconds.bare), ratio: median(ratios) };
}

for (const kernel of ['naive', 'tiled']) {
  const measured: Awaited<ReturnType<typeof block>>[] = [];
  for (let index = 0; index < blocks; index++) measured.push(await block(kernel));
  const ms = (values: number[]) => `${(median(values) / 1e6).toFixed(2)} ms`;
  const ratios = measured.map(({ ratio }) => ratio);
  console.log(
    `dense.${kernel} at ${length}, ${threads} thread${threads === 1 ? '' : 's'}: worker ${ms(measured.map(({ worker }) => worker))}, ` +
      `bare loop ${ms(measured.map((one) => one.bare))}, ratio ${median(ratios).toFixed(3)} (${ratios.map((ratio) => ratio.toFixed(3)).join(' ')})`,
  );
}
