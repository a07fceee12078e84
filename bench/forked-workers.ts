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
import { endForkServers } from '../src/protocol/fork-servers.ts';
import { meanInterval } from '../src/statistics/student.ts';

// Whether forked workers measure what fresh ones do, on one thread: for each server, a block of equal arms in fresh workers and `per-server` blocks in workers
// that are forked from it. Intervals are over servers, so that they contain what all blocks of one server share. On Linux:
// `npm run bench:forked-workers -- [--what dense.fused,model] [--servers 12] [--per-server 2] [--peaks 0] [--figure cpu-time]`
const { values } = parseArgs({
  options: {
    what: { type: 'string', default: 'dense.fused,model' },
    servers: { type: 'string', default: '12' },
    'per-server': { type: 'string', default: '2' },
    peaks: { type: 'string', default: '0' },
    figure: { type: 'string', default: 'latency' },
  },
});
const [servers, perServer, peaks] = [values.servers, values['per-server'], values.peaks].map(Number) as [number, number, number];
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

/** Runs with workers started one way. */
async function started<Result>(way: Way, run: () => Promise<Result>): Promise<Result> {
  if (way === 'fresh') process.env['ATTNSWAP_FORKS'] = '';
  else delete process.env['ATTNSWAP_FORKS'];
  return run();
}

const meanOf = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
const varianceOf = (of: readonly number[]) => of.reduce((sum, value) => sum + (value - meanOf(of)) ** 2, 0) / (of.length - 1);

/** Per cent, with its interval over servers, for small differences of logarithms. */
function interval(values: readonly number[]): string {
  const { mean, low, high } = meanInterval(values, 0.025);
  const [at, from, to] = [mean, low, high].map((value) => (100 * value).toFixed(2));
  return `${at} (${from} … ${to})`;
}

/** Standard deviations, per cent: between the blocks of a server, and between servers beyond that. */
function spread(groups: ReadonlyArray<readonly number[]>): string {
  const percent = (variance: number) => (100 * Math.sqrt(variance)).toFixed(2);
  if (groups.every((group) => group.length === 1)) return `${percent(varianceOf(groups.flat()))}, –`;
  const within = meanOf(groups.map(varianceOf));
  const between = varianceOf(groups.map(meanOf)) - within / perServer;
  return `${percent(within)}, ${between > 0 ? percent(between) : '0'}`;
}

const table: string[][] = [
  [
    'what',
    'workers',
    'blocks',
    `${figure}, ms`,
    'new / base, %',
    'sd in, between servers, %',
    `${figure} to fresh, %`,
    'its sd in, between servers, %',
  ],
];

async function compare(name: string, arm: CellArm | ModelArm): Promise<void> {
  const found: Record<Way, { ratio: number[][]; level: number[][] }> = {
    fresh: { ratio: [], level: [] },
    forked: { ratio: [], level: [] },
  };
  let callsPerSample: { base: number; new: number } | undefined;
  for (let server = 0; server < servers; server += 1) {
    for (const way of server % 2 === 0 ? ways : ways.toReversed()) {
      const [ratio, level]: [number[], number[]] = [[], []];
      for (let block = 0; block < (way === 'fresh' ? 1 : perServer); block += 1) {
        const options = {
          seed: 1,
          index: server + block,
          judgedRows: 4,
          samplingNs: 0.3e9,
          timeoutSeconds: 300,
          callsPerSample,
          figure,
        } as const;
        const outcome = await started(way, () => measureBlock({ base: arm, new: arm }, options));
        if (outcome.state === 'fault') throw new Error(outcome.fault.reason);
        callsPerSample ??= outcome.callsPerSample;
        ratio.push(outcome.block.logRatio);
        level.push((Math.log(outcome.block.base) + Math.log(outcome.block.new)) / 2);
      }
      found[way].ratio.push(ratio);
      found[way].level.push(level);
    }
    await endForkServers();
    process.stderr.write(`${name}: ${server + 1} of ${servers} servers\n`);
  }
  const levels = (way: Way) => found[way].level.map(meanOf);
  const against = levels('forked').map((value, server) => value - levels('fresh')[server]!);
  for (const way of ways) {
    const { ratio, level } = found[way];
    const blocks = `${ratio.flat().length}`;
    const ms = (Math.exp(meanOf(levels(way))) / 1e6).toFixed(3);
    const toFresh = way === 'fresh' ? '' : interval(against);
    table.push([name, way, blocks, ms, interval(ratio.map(meanOf)), spread(ratio), toFresh, spread(level)]);
  }
  for (const way of peaks > 0 ? ways : []) {
    const bytes: number[] = [];
    for (let index = 0; index < peaks; index += 1) {
      const outcome = await started(way, () => peak(arm, { timeoutSeconds: 300 }));
      if (!('bytes' in outcome)) throw new Error(JSON.stringify(outcome));
      bytes.push(outcome.bytes);
    }
    process.stderr.write(`${name}, ${way}: peaks of ${bytes.map((value) => (value / 1024).toFixed(0)).join(', ')} KiB\n`);
  }
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
      await compare(what, armOf(plan!, undefined, 1));
    }
  }
  for (const [at, row] of table.entries()) {
    console.log(`| ${row.join(' | ')} |`);
    if (at === 0) console.log(`|${'---|'.repeat(row.length)}`);
  }
} finally {
  await rm(folder, { recursive: true });
}
