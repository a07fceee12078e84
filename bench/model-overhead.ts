import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adapter } from '../adapters/torch/adapter.ts';
import type { OpenModel } from '../src/contract/adapter.ts';
import { writeTensors } from '../src/data/tensor-files.ts';
import { tensorOf } from '../src/inputs/model-inputs.ts';
import { findPython } from '../adapters/torch/python.ts';
import { bareLoop, comparePairs } from './fresh-pairs.ts';
import type { TimedArm } from './fresh-pairs.ts';

// What attnswap adds to a model's calls, and to the steps of a training, beside a bare Python loop over the same model. The bare loop's training is written
// without attnswap: the same low-rank parts, loss and optimizer. `npm run fetch-models && node samples/minilm/write-bert.ts && npm run bench:model-overhead [blocks] [tokens]`
const blocks = Number(process.argv[2] ?? 6);
const tokens = Number(process.argv[3] ?? 128);
const model = 'models/minilm-bert';
const folder = await mkdtemp(join(tmpdir(), 'attnswap-bench-'));
const item = join(folder, 'item.safetensors');
const ids = Array.from({ length: tokens }, (_, at) => (7 * at * at + 13 * at) % 30_000);
const feeds = {
  input_ids: tensorOf('int64', [1, tokens], ids),
  attention_mask: tensorOf('int64', [1, tokens], Array<number>(tokens).fill(1)),
};
await writeTensors(item, feeds);

async function opened(): Promise<OpenModel & { readonly attention: NonNullable<OpenModel['attention']> }> {
  const found = await adapter.openModel!({ backend: 'torch-cpu', model, threads: 1 });
  if ('unsupported' in found) throw new Error(found.unsupported);
  return { ...found, attention: found.attention! };
}

async function calls(): Promise<TimedArm> {
  const { bind, dispose } = await opened();
  const bound = bind(feeds);
  return { time: (count) => bound.timeCalls!(count), end: dispose };
}

/** All that a part of a training takes, its state read and written. */
async function steps(): Promise<TimedArm> {
  const { attention, dispose } = await opened();
  const { sites } = await attention.sites(feeds);
  const placed = Object.fromEntries(sites.map(({ module }) => [module, { variant: 'dense', kernel: 'fused', parameters: {} }]));
  const optimizer = { learningRate: 1e-4, weightDecay: 0, warmUpSteps: 1, steps: 1000, clip: 1 };
  const output = join(folder, 'state.safetensors');
  let state: string | null = null;
  const time = async (count: number): Promise<number> => {
    const start = process.hrtime.bigint();
    const items = Array<string>(count).fill(item);
    await attention.train(placed, { objective: 'labels', items, batch: 1, rank: 8, seed: 1, optimizer, state, output });
    state = output;
    return Number(process.hrtime.bigint() - start);
  };
  return { time, end: dispose };
}

try {
  const bare = (mode: string) => () => bareLoop(findPython(), './model_bare_loop.py', mode, model, item);
  const call = await comparePairs({ worker: calls, bare: bare('call'), blocks, rounds: 12, calls: 5, warmUp: 3 });
  console.log(`a call on ${tokens} tokens: ${call}`);
  const step = await comparePairs({ worker: steps, bare: bare('train'), blocks, rounds: 2, calls: 50, warmUp: 1 });
  console.log(`a training step on ${tokens} tokens: ${step}`);
} finally {
  await rm(folder, { recursive: true });
}
