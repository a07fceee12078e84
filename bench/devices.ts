import { parseArgs } from 'node:util';
import { adapters } from '../adapters/index.ts';
import { ab } from '../src/operations/ab.ts';
import { digits } from '../src/text/figures.ts';

// Dense attention and each variant on the runtimes of this machine, each in paired blocks against dense.fused on onnx-cpu: the table of
// docs/devices.md. `npm run bench:devices -- --lengths 512,4096 --blocks 5`, on a quiet machine.
const { values: given } = parseArgs({
  options: {
    lengths: { type: 'string', default: '512,1024,2048,4096' },
    blocks: { type: 'string', default: '5' },
    threads: { type: 'string' },
  },
});
const base = 'dense.fused';
const runtimes = ['onnx-cpu', 'ort-cpu', 'openvino-cpu', 'torch-cpu', 'tfjs-wasm'] as const;
const kernels = ['dense', 'topk:k=32', 'window:w=256', 'gated:block=64,sparsity=0.4', 'hierarchical', 'block-topk', 'linear'] as const;

interface Found {
  readonly shown: string;
  /** Latency over that of the base. */
  readonly ratio: number;
}

async function statuses(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of adapters) {
    for (const backend of entry.backends.filter((name) => (runtimes as readonly string[]).includes(name))) {
      const status = await (await entry.load()).status(backend);
      if (!status.available) console.log(`left out: ${backend}: ${status.reason}`);
      else found.set(backend, `${status.version}, ${status.threads ?? 'unknown'} threads`);
    }
  }
  return found;
}

async function compare(kernel: string, backend: string, length: number): Promise<Found | string> {
  if (backend === 'onnx-cpu' && kernel === 'dense') return { shown: '1', ratio: 1 };
  const options = { base, baseBackend: 'onnx-cpu', new: kernel, backend, length, maxBlocks: Number(given.blocks), margin: 10 };
  const threads = given.threads === undefined ? {} : { threads: Number(given.threads) };
  const { effect, reason } = (await ab({ ...options, ...threads })).comparisons[0]!;
  if (effect === null) return reason;
  const [ratio, low, high] = [effect.estimate, effect.low, effect.high].map((change) => 1 + change);
  return { shown: `${digits(ratio!)} [${digits(low!)}, ${digits(high!)}]`, ratio: ratio! };
}

const present = await statuses();
console.log(
  [...present].map(([backend, what]) => `${backend}: ${what}${given.threads === undefined ? '' : `, set to ${given.threads}`}`).join('\n'),
);
for (const length of given.lengths.split(',').map(Number)) {
  const table = new Map<string, Found | string>();
  for (const kernel of kernels)
    for (const backend of present.keys()) table.set(`${kernel} ${backend}`, await compare(kernel, backend, length));
  const at = (kernel: string, backend: string) => table.get(`${kernel} ${backend}`);
  const row = (cells: readonly string[]) => console.log(`| ${cells.join(' | ')} |`);
  console.log(
    `\n${length} tokens, 8 heads × 64, causal, f32: latency over that of ${base} on onnx-cpu, with 95 % intervals; in parentheses the runtime's own dense over it`,
  );
  row(['kernel', ...present.keys()]);
  row(['---', ...[...present].map(() => '---')]);
  for (const kernel of kernels) {
    const cells = [...present.keys()].map((backend) => {
      const [found, own] = [at(kernel, backend), at('dense', backend)];
      if (found === undefined || typeof found === 'string') return found?.slice(0, 60) ?? '–';
      return kernel === 'dense' || own === undefined || typeof own === 'string'
        ? found.shown
        : `${found.shown} (${digits(own.ratio / found.ratio)}×)`;
    });
    row([`\`${kernel}\``, ...cells]);
  }
}
