import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import * as ort from '../src/processes/onnxruntime.ts';
import { adapters } from '../adapters/index.ts';
import { adapter } from '../adapters/onnx/adapter.ts';
import { compareLatency } from '../src/compare/compare-latency.ts';
import { compareMemory } from '../src/compare/compare-memory.ts';
import { plainRule } from '../src/decide/rule.ts';
import { planUpTo } from '../src/decide/sequential.ts';
import { drawModelInputs } from '../src/inputs/model-inputs.ts';
import { modelArm } from '../src/measure/arm.ts';
import { findAdapter } from '../src/loading/adapter.ts';
import { median } from '../src/statistics/order-statistics.ts';

// Does a verdict about two model files agree with a bare onnxruntime-node loop over them, interleaved, in the same minute?
// node bench/model-comparison.ts --base a.onnx --new b.onnx --dim batch_size=1 --dim sequence_length=512
const { values } = parseArgs({
  options: {
    base: { type: 'string', default: '' },
    new: { type: 'string', default: '' },
    dim: { type: 'string', multiple: true, default: [] },
    calls: { type: 'string', default: '60' },
  },
});
const sizes = Object.fromEntries(values.dim.map((text) => text.split('=')).map(([name, size]) => [name!, Number(size)]));
const paths = [resolve(values.base), resolve(values.new)];

async function bareRatio(): Promise<{ ratio: number; base: number }> {
  const opened = await adapter.openModel!({ backend: 'onnx-cpu', model: paths[0]! });
  if ('unsupported' in opened) throw new Error(opened.unsupported);
  const drawn = drawModelInputs(opened.inputs, sizes, 1);
  await opened.dispose();
  const feeds = Object.fromEntries(
    Object.entries(drawn).map(([name, { type, dims, data }]) => [name, new ort.Tensor(type as 'float32', data as Float32Array, [...dims])]),
  );
  const sessions = await Promise.all(paths.map((path) => ort.InferenceSession.create(path, { logSeverityLevel: 3 })));
  const times: number[][] = [[], []];
  for (let call = 0; call < Number(values.calls); call++) {
    for (const arm of call % 2 === 0 ? [0, 1] : [1, 0]) {
      // Two calls to settle: the other session's threads still spin.
      for (let warm = 0; warm < 2; warm++) await sessions[arm]!.run(feeds);
      const start = performance.now();
      await sessions[arm]!.run(feeds);
      times[arm]!.push(performance.now() - start);
    }
  }
  await Promise.all(sessions.map((session) => session.release()));
  return { ratio: median(times[1]!) / median(times[0]!), base: median(times[0]!) };
}

const entry = findAdapter(adapters, 'onnx-cpu');
const [base, fresh] = paths.map((model) => modelArm({ backend: 'onnx-cpu', model, feeds: { sizes, seed: 1 } }, entry));
const arms = { base: base!, new: fresh! };
const subject = { cell: 'model', name: 'model' };
const shared = { family: 1, timeoutSeconds: 300 };
const before = await bareRatio();
const { comparison } = await compareLatency(arms, subject, plainRule('latency', 0.05), {
  ...shared,
  seed: 1,
  floor: null,
  plan: planUpTo(10),
});
const after = await bareRatio();
const memory = await compareMemory(arms, subject, plainRule('peak-memory', 0.05), shared);
const { estimate, low, high } = comparison.effect!;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
console.log(`bare loop: base ${before.base.toFixed(2)} ms; new ${percent(before.ratio - 1)} before, ${percent(after.ratio - 1)} after`);
console.log(
  `attnswap:  ${comparison.outcome}: ${percent(estimate)} [${percent(low)}, ${percent(high)}], ${comparison.blocks.length} blocks`,
);
const peak = memory.effect!;
console.log(
  `memory:    ${memory.outcome}: ${(memory.base! / 1e6).toFixed(2)} → ${(memory.new! / 1e6).toFixed(2)} MB, ${percent(peak.estimate)} [${percent(peak.low)}, ${percent(peak.high)}]`,
);
