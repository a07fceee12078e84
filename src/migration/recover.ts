import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import type { AdapterTraining } from '../contract/model-attention.ts';
import { writeTensors } from '../data/tensor-files.ts';
import type { MeasuredBaseline } from './baseline-phase.ts';
import { fileNameOf, isRefusal, judgeCandidate } from './candidate.ts';
import type { CandidateResult } from './candidate.ts';
import { judgementOf } from './candidate-quality.ts';
import { itemsOf } from './items.ts';
import type { Migration } from './migration.ts';
import type { ModelCandidate } from './subject.ts';

/** Steps between two checkpoints: what a kill loses at most. */
const checkpointSteps = 50;

/** A candidate that lost quality, with low-rank parts that were trained to bring it back. */
export interface Recovered {
  /** The candidate as it was swapped in. */
  readonly from: string;
  /** Trained numbers. */
  readonly parameters: number;
  /** Of each step: the relative squared error of what attention gives, mean over modules; then of the model's outputs. */
  readonly losses: Readonly<Record<AdapterTraining['objective'], readonly number[]>>;
  /** Quality lost, in margins. */
  readonly lostBefore: number;
  readonly lostAfter: number;
  /** Share of it that came back; below 0 where more was lost. */
  readonly share: number;
  /** The trained candidate, judged like any other. */
  readonly result: CandidateResult;
}

/** A candidate that could not be trained, and why. */
export interface NotRecovered {
  readonly from: string;
  readonly failure: string;
}

/** Phase 3 with training: each candidate that lost quality, trained on items of its own and judged again on those of phase 2. */
export async function recoverCandidates(
  migration: Migration,
  baseline: MeasuredBaseline,
  candidates: readonly CandidateResult[],
): Promise<Array<Recovered | NotRecovered>> {
  const found: Array<Recovered | NotRecovered> = [];
  for (const { name, quality } of candidates) {
    if (quality === null) continue;
    const { outcome, marginsLost: lostBefore } = judgementOf({ quality });
    if (outcome === 'pass' || !(lostBefore > 0 && lostBefore < Infinity)) continue;
    try {
      const plain = migration.judged.get(name)!;
      const { adapters, ...training } = await train(migration, plain);
      const result = await judgeCandidate(migration, { ...plain, name: `${name} recovered`, adapters }, baseline);
      // Its attention is that of a candidate that was written: what fails now is the training's.
      if (result.quality === null) throw new AttnswapError('UNSUPPORTED', result.decision.reasons[0] ?? 'it cannot be written');
      const lostAfter = Math.max(0, judgementOf(result).marginsLost);
      found.push({ from: name, ...training, lostBefore, lostAfter, share: 1 - lostAfter / lostBefore, result });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      found.push({ from: name, failure: error.message });
    }
  }
  return found;
}

/** Trains a candidate from its last checkpoint on. */
async function train(
  migration: Migration,
  candidate: ModelCandidate,
): Promise<Pick<Recovered, 'parameters' | 'losses'> & { adapters: string }> {
  const { settings, state, subject } = migration;
  const { steps, labels, rank, learningRate } = settings.recover!;
  const all = steps + labels;
  const optimizer = { learningRate, weightDecay: 0, warmUpSteps: Math.ceil(all / 20), steps: all, clip: 1 };
  const files = await trainingFiles(migration);
  const folder = resolve(state.folder, 'recovered', fileNameOf(candidate.name, ''));
  await mkdir(folder, { recursive: true });
  const losses: Record<AdapterTraining['objective'], number[]> = { transfer: [], labels: [] };
  let parameters = 0;
  let checkpoint: string | null = null;
  for (const { objective, from, to } of checkpointsOf(steps, labels)) {
    const items = Array.from({ length: to - from }, (_, at) => files[(from + at) % files.length]!);
    const training: AdapterTraining = {
      objective,
      items,
      rank,
      seed: settings.seed,
      optimizer,
      state: checkpoint,
      output: join(folder, `${to}.safetensors`),
    };
    const run = () => {
      migration.signal?.throwIfAborted();
      migration.progress(`recover/${candidate.name}`, `${candidate.name}: training, step ${to} of ${all}`, to / all);
      return subject.train!(candidate, training);
    };
    const done = await state.step(`recover/${candidate.name}/${to}`, run);
    // A user may have made room since.
    if (!existsSync(training.output)) await run();
    losses[objective].push(...done.losses);
    parameters = done.parameters;
    checkpoint = training.output;
  }
  return { parameters, losses, adapters: checkpoint! };
}

/** The training in parts, each of which ends with a checkpoint. */
function checkpointsOf(steps: number, labels: number) {
  const parts: Array<{ readonly objective: AdapterTraining['objective']; readonly from: number; readonly to: number }> = [];
  for (const [objective, begin, end] of [['transfer', 0, steps] as const, ['labels', steps, steps + labels] as const])
    for (let from = begin; from < end; from += checkpointSteps) parts.push({ objective, from, to: Math.min(end, from + checkpointSteps) });
  return parts;
}

/** The training items, a file each. */
async function trainingFiles(migration: Migration): Promise<string[]> {
  const folder = resolve(migration.state.folder, 'recovered', 'items');
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  for (const [at, { feeds }] of (await itemsOf(migration, 'training')).entries()) {
    const file = join(folder, `${at}.safetensors`);
    if (!existsSync(file)) await writeTensors(file, feeds);
    files.push(file);
  }
  return files;
}
