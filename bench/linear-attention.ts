import { adapter } from '../adapters/onnx/adapter.ts';
import { drawCalibrated } from '../src/inputs/calibrated.ts';
import { digits } from '../src/text/figures.ts';
import { parseVariant } from '../src/variants/index.ts';

// CPU time of linear attention beside the fused dense operator, one thread, the least of calls that take turns: what a machine
// shows that others use too. `attnswap ab` compares latencies, on a quiet one.
const rules = ['linear', 'gated', 'delta', 'gated-delta'];
const texts = ['dense.fused', ...['fused', 'chunked'].flatMap((kernel) => rules.map((rule) => `linear.${kernel}:rule=${rule}`))];
const rounds = 20;

console.log('length  kernel                             CPU ms  times dense.fused');
for (const length of [1024, 4096]) {
  const shape = { batch: 1, heads: 8, kvHeads: 8, queries: length, keys: length, headDim: 64, causal: true, dtype: 'f32' } as const;
  const inputs = drawCalibrated(shape, 1);
  const calls = await Promise.all(texts.map((text) => prepare(text, inputs)));
  const least = calls.map(() => Infinity);
  for (let round = 0; round < rounds; round++) {
    for (const [index, call] of calls.entries()) {
      const start = process.cpuUsage();
      await call.run();
      const { user, system } = process.cpuUsage(start);
      least[index] = Math.min(least[index]!, (user + system) / 1e3);
    }
  }
  for (const [index, text] of texts.entries())
    console.log(String(length).padEnd(8) + text.padEnd(34), digits(least[index]!).padStart(6), `${digits(least[0]! / least[index]!)}×`);
  for (const call of calls) await call.dispose();
}

async function prepare(text: string, inputs: ReturnType<typeof drawCalibrated>) {
  const spec = parseVariant(text);
  const request = { backend: 'onnx-cpu', ...spec, kernel: spec.kernel!, inputs, purpose: 'latency', threads: 1 } as const;
  const call = await adapter.prepare(request);
  if ('unsupported' in call) throw new Error(call.unsupported);
  return call;
}
