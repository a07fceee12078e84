import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { adapters } from '../adapters/index.ts';
import { peak } from '../src/compare/compare-memory.ts';
import { readSuite } from '../src/contract/suite.ts';
import { writeTensors } from '../src/data/tensor-files.ts';
import { tensorOf } from '../src/inputs/model-inputs.ts';
import { findAdapter } from '../src/loading/adapter.ts';
import { armOf, modelArm } from '../src/measure/arm.ts';
import type { CellArm, ModelArm } from '../src/measure/arm.ts';
import { measureBlock } from '../src/measure/pair-block.ts';
import { planCells } from '../src/measure/plan-cells.ts';
import { meanInterval } from '../src/statistics/student.ts';

// Whether forked workers measure what fresh ones do: blocks of equal arms, and peaks, both ways in turns, on one thread. Each server forks the workers of
// `per-server` blocks. `npm run bench:forked-workers -- [--what model] [--blocks 24] [--figure cpu-time]`
const { values } = parseArgs({
  options: {
    what: { type: 'string', default: 'dense.fused,topk.tiled:k=32,model' },
    blocks: { type: 'string', default: '24' },
    'per-server': { type: 'string', default: '4' },
    peaks: { type: 'string', default: '6' },
    figure: { type: 'string', default: 'latency' },
  },
});
const [blocks, perServer, peaks] = [values.blocks, values['per-server'], values.peaks].map(Number) as [number, number, number];
const figure = values.figure === 'cpu-time' ? 'cpu-time' : 'latency';
const folder = await mkdtemp(join(tmpdir(), 'attnswap-bench-'));
const file = join(folder, 'feeds.safetensors');
const tokens = 128;
await writeTensors(file, {
  input_ids: tensorOf(
    'int64',
    [1, tokens],
    Array.from({ length: tokens }, (_, at) => (7 * at * at + 13 * at) % 30_000),
  ),
  attention_mask: tensorOf('int64', [1, tokens], Array<number>(tokens).fill(1)),
});

const ways = ['fresh', 'forked'] as const;
type Way = (typeof ways)[number];

/** Runs with workers started one way; each `server` number has a server of its own. */
async function started<Result>(way: Way, server: number, run: () => Promise<Result>): Promise<Result> {
  process.env['BENCH_SERVER'] = String(server);
  if (way === 'fresh') process.env['ATTNSWAP_FORKS'] = '';
  else delete process.env['ATTNSWAP_FORKS'];
  return run();
}

const interval = (values: readonly number[], digits = 4) => {
  const { mean, low, high, standardDeviation } = meanInterval(values, 0.025);
  return `${mean.toFixed(digits)} (${low.toFixed(digits)} … ${high.toFixed(digits)}), sd ${standardDeviation.toFixed(digits)}`;
};

/** The standard deviation between groups beyond that within them: of what all blocks of one server share. */
function betweenServers(values: readonly number[]): string {
  const groups = Array.from({ length: Math.floor(values.length / perServer) }, (_, at) =>
    values.slice(at * perServer, (at + 1) * perServer),
  );
  const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
  const variance = (of: readonly number[]) => of.reduce((sum, value) => sum + (value - mean(of)) ** 2, 0) / (of.length - 1);
  const within = mean(groups.map(variance));
  const between = variance(groups.map(mean)) - within / perServer;
  return `within a server ${Math.sqrt(within).toFixed(4)}, between servers ${between > 0 ? Math.sqrt(between).toFixed(4) : `0 (variance ${between.toExponential(1)})`}`;
}

async function compare(name: string, arm: CellArm | ModelArm): Promise<void> {
  const found: Record<Way, { ratio: number[]; latency: number[] }> = {
    fresh: { ratio: [], latency: [] },
    forked: { ratio: [], latency: [] },
  };
  let callsPerSample: { base: number; new: number } | undefined;
  for (let index = 0; index < blocks; index += 1)
    for (const way of index % 2 === 0 ? ways : ways.toReversed()) {
      const options = { seed: 1, index, judgedRows: 4, samplingNs: 0.45e9, timeoutSeconds: 300, callsPerSample, figure } as const;
      const outcome = await started(way, Math.floor(index / perServer), () => measureBlock({ base: arm, new: arm }, options));
      if (outcome.state === 'fault') throw new Error(outcome.fault.reason);
      callsPerSample ??= outcome.callsPerSample;
      found[way].ratio.push(outcome.block.logRatio);
      found[way].latency.push((Math.log(outcome.block.base) + Math.log(outcome.block.new)) / 2);
    }
  console.log(`${name}: ${blocks} blocks each way, ${(Math.exp(found.fresh.latency[0]!) / 1e6).toFixed(2)} ms`);
  for (const way of ways) {
    console.log(`  ${way}: ln(new / base) of equal arms ${interval(found[way].ratio)}`);
    console.log(`  ${way}: ln(latency), sd ${meanInterval(found[way].latency, 0.025).standardDeviation.toFixed(4)}`);
  }
  console.log(
    `  forked, sd of ln(new / base): ${betweenServers(found.forked.ratio)}; of ln(latency): ${betweenServers(found.forked.latency)}`,
  );
  console.log(
    `  ln(latency forked / fresh), block by block: ${interval(found.forked.latency.map((value, at) => value - found.fresh.latency[at]!))}`,
  );
  const bytes: Record<Way, number[]> = { fresh: [], forked: [] };
  for (let index = 0; index < peaks; index += 1)
    for (const way of ways) {
      const outcome = await started(way, 0, () => peak(arm, { timeoutSeconds: 300 }));
      if (!('bytes' in outcome)) throw new Error(JSON.stringify(outcome));
      bytes[way].push(outcome.bytes);
    }
  for (const way of ways) console.log(`  ${way}: peaks of ${bytes[way].map((value) => (value / 1024).toFixed(0)).join(', ')} KiB`);
}

try {
  const entry = findAdapter(adapters, 'torch-cpu');
  for (const what of values.what.split(',')) {
    if (what === 'model') {
      const request = { backend: 'torch-cpu', model: resolve('models/minilm-bert'), feeds: { file }, threads: 1 };
      await compare('minilm-bert', modelArm(request, entry));
    } else {
      const matrix = { variants: [what], backends: ['torch-cpu'], lengths: [512] };
      const [plan] = await planCells(readSuite({ name: 'forks', matrix }, 'forks'), adapters);
      await compare(plan!.cell.id, armOf(plan!, undefined, 1));
    }
  }
} finally {
  await rm(folder, { recursive: true });
}
