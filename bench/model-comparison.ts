import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { adapters } from '../adapters/index.ts';
import { compareLatency } from '../src/compare/compare-latency.ts';
import { compareMemory } from '../src/compare/compare-memory.ts';
import { plainRule } from '../src/decide/rule.ts';
import { planUpTo } from '../src/decide/sequential.ts';
import { modelArm } from '../src/measure/arm.ts';
import { findAdapter } from '../src/loading/adapter.ts';
import { bareRatio } from './bare-ratio.ts';

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
const paths = [resolve(values.base), resolve(values.new)] as const;
const bare = () => bareRatio(paths, sizes, Number(values.calls));

const entry = findAdapter(adapters, 'onnx-cpu');
const [base, fresh] = paths.map((model) => modelArm({ backend: 'onnx-cpu', model, feeds: { sizes, seed: 1 } }, entry));
const arms = { base: base!, new: fresh! };
const subject = { cell: 'model', name: 'model' };
const shared = { family: 1, timeoutSeconds: 300 };
const before = await bare();
const { comparison } = await compareLatency(arms, subject, plainRule('latency', 0.05), {
  ...shared,
  seed: 1,
  floor: null,
  plan: planUpTo(10),
});
const after = await bare();
const memory = await compareMemory(arms, subject, plainRule('peak-memory', 0.05), shared);
const { estimate, low, high } = comparison.effect!;
const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
console.log(`bare loop: base ${before.baseMs.toFixed(2)} ms; new ${percent(before.ratio - 1)} before, ${percent(after.ratio - 1)} after`);
console.log(
  `attnswap:  ${comparison.outcome}: ${percent(estimate)} [${percent(low)}, ${percent(high)}], ${comparison.blocks.length} blocks`,
);
const peak = memory.effect!;
console.log(
  `memory:    ${memory.outcome}: ${(memory.base! / 1e6).toFixed(2)} → ${(memory.new! / 1e6).toFixed(2)} MB, ${percent(peak.estimate)} [${percent(peak.low)}, ${percent(peak.high)}]`,
);
