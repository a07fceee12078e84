import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { adapter } from '../adapters/torch/adapter.ts';
import { findPython } from '../adapters/torch/python.ts';
import type { Training, TrainRequest } from '../src/contract/training.ts';
import { readTuning } from '../src/contract/tuning.ts';
import { RandomStream } from '../src/inputs/random.ts';
import { writeSafetensors } from '../src/inputs/safetensors.ts';
import { builtInTunings } from '../src/loading/built-in.ts';
import { loadDefinition } from '../src/loading/definition.ts';
import { initialWeights, writeWeights } from '../src/training/initial-weights.ts';
import { taskOf } from '../src/training/tasks/index.ts';
import { writeItems } from '../src/training/write-items.ts';
import { goalAttention } from '../src/tuning/progressive.ts';
import { proposeTrials } from '../src/tuning/propose.ts';
import { testbedOf } from '../src/tuning/trial.ts';
import { bareLoop, comparePairs } from './fresh-pairs.ts';
import type { TimedArm } from './fresh-pairs.ts';

// What attnswap adds to a training step of a testbed with dense attention, beside a plain PyTorch loop over the same model, items and batches that is
// written without attnswap. Their first losses and gradient norms have to agree, or nothing is timed. The ratio is one of times: 0.9 of the bare
// loop's rate is 1.11. Needs a PyTorch with scaled_dot_product_attention. `npm run bench:training-overhead [blocks] [testbed…]`
const blocks = Number(process.argv[2] ?? 5);
const named = process.argv.slice(3);
/** A decoder, one that is asked at every position, an encoder with a decoder, and images. */
const testbeds = named.length > 0 ? named : ['tune-recall', 'tune-prose', 'tune-translate', 'tune-vision'];
/** In each sample. */
const steps = 10;
const script = './training_bare_loop.py';
const folder = await mkdtemp(join(tmpdir(), 'attnswap-bench-'));

interface Prepared {
  readonly request: TrainRequest;
  readonly epoch: Parameters<Training['epoch']>[0];
  /** What the bare loop reads. */
  readonly file: string;
  readonly batch: string;
}

async function prepare(name: string): Promise<Prepared> {
  const tuning = readTuning((await loadDefinition(name, builtInTunings)).definition, name);
  const task = taskOf(tuning.task);
  const trial = proposeTrials(tuning, tuning.baseline, 1)[0]!;
  const testbed = testbedOf(trial, tuning, task);
  const { batch, weightDecay, warmUpSteps, clip } = tuning.training;
  const optimizer = { learningRate: trial.learningRate, weightDecay, warmUpSteps, clip, steps: 1000 };
  const [weights, data, order] = ['weights', 'data', 'order'].map((part) => join(folder, `${name}-${part}.safetensors`)) as [
    string,
    string,
    string,
  ];
  await writeWeights(weights, testbed, initialWeights(testbed, 1, task));
  await writeItems(data, await task.items('train', tuning.items.train, 1));
  const stream = new RandomStream(1, 'order');
  const drawn = Int32Array.from({ length: steps * batch }, () => Math.floor(stream.uniform() * tuning.items.train));
  await writeSafetensors(order, { order: { dtype: 'I32', shape: [steps, batch], data: drawn } }, {});
  const attention = goalAttention(trial, testbed);
  const request = { backend: 'torch-cpu', testbed, weights, attention, optimizer, threads: 1 };
  const file = join(folder, `${name}.json`);
  await writeFile(file, JSON.stringify({ ...request, data, order }));
  return { request, epoch: { attention, data, order }, file, batch: `${batch} × ${testbed.length} tokens` };
}

async function start(request: TrainRequest): Promise<Training> {
  const training = await adapter.train!(request);
  if ('unsupported' in training) throw new Error(training.unsupported);
  return training;
}

/** @throws Error where the bare model is another one */
async function requireSameModel({ request, epoch, file }: Prepared): Promise<void> {
  const training = await start(request);
  const own = await training.epoch(epoch);
  await training.close();
  const { stdout } = await promisify(execFile)(findPython(), [fileURLToPath(new URL(script, import.meta.url)), 'losses', file]);
  const bare = JSON.parse(stdout) as { losses: number[]; gradientNorms: number[] };
  for (const figure of ['losses', 'gradientNorms'] as const)
    for (const [step, value] of own[figure].slice(0, 5).entries())
      if (!(Math.abs(value - bare[figure][step]!) <= 1e-5 * Math.max(1, value)))
        throw new Error(`not the same model: ${figure} at step ${step} are ${value} and in the bare loop ${bare[figure][step]}`);
}

/** An epoch as `tune` asks for it, with everything between the question and the answer. */
async function epochs({ request, epoch }: Prepared): Promise<TimedArm> {
  const training = await start(request);
  const time = async (): Promise<number> => {
    const begin = process.hrtime.bigint();
    const { diverged } = await training.epoch(epoch);
    const elapsed = Number(process.hrtime.bigint() - begin);
    if (diverged) throw new Error('the training diverged');
    return elapsed;
  };
  return { time, end: () => training.close() };
}

try {
  for (const name of testbeds) {
    const prepared = await prepare(name);
    await requireSameModel(prepared);
    const bare = () => bareLoop(findPython(), script, 'time', prepared.file);
    const compared = await comparePairs({ worker: () => epochs(prepared), bare, blocks, rounds: 3, calls: steps, warmUp: 1 });
    console.log(`a training step of ${name} on ${prepared.batch}: ${compared}`);
  }
} finally {
  await rm(folder, { recursive: true });
}
