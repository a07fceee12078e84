import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AttnswapError } from '../contract/errors.ts';
import type { AdapterTraining, TrainedSteps } from '../contract/model-attention.ts';
import type { MeasuredBaseline } from './baseline-phase.ts';
import { fileNameOf, isRefusal, judgeCandidate } from './candidate.ts';
import type { CandidateResult } from './candidate.ts';
import { judgementOf } from './candidate-quality.ts';
import { itemsOf } from './items.ts';
import { lossOf, lossScale } from './loss-of.ts';
import type { Migration } from './migration.ts';
import { qualityOf } from './quality-of.ts';
import type { CandidateRanks, ModelCandidate } from './subject.ts';
import { batchesOf, ranksOptions, trainingFiles } from './training-files.ts';

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
  /** What checkpoints lose on held-out items, from the end of the first stage on; empty where training does not stop early. */
  readonly judged: readonly Judged[];
  /** Steps of the checkpoint that was kept. */
  readonly kept: number;
  /** Quality lost, in margins. */
  readonly lostBefore: number;
  /** After the first stage alone; null where nothing followed it. */
  readonly lostBetween: number | null;
  readonly lostAfter: number;
  /** Share of it that came back; below 0 where more was lost. */
  readonly share: number;
  /** The trained candidate, judged like any other. */
  readonly result: CandidateResult;
}

/** A checkpoint on held-out items. */
interface Judged {
  readonly step: number;
  /** Mean score below the original's; without a task, the drift of the outputs. */
  readonly loss: number;
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
      const { adapters, between, ...training } = await train(migration, plain);
      const result = await judgeCandidate(migration, { ...plain, name: `${name} recovered`, adapters }, baseline);
      // Its attention is that of a candidate that was written: what fails now is the training's.
      if (result.quality === null) throw new AttnswapError('UNSUPPORTED', result.decision.reasons[0] ?? 'it cannot be written');
      const lostAfter = Math.max(0, judgementOf(result).marginsLost);
      const lostBetween = between === null ? null : await marginsLost(migration, { ...plain, adapters: between }, baseline);
      found.push({ from: name, ...training, lostBefore, lostBetween, lostAfter, share: 1 - lostAfter / lostBefore, result });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      found.push({ from: name, failure: error.message });
    }
  }
  return found;
}

interface Trained extends Pick<Recovered, 'parameters' | 'losses' | 'judged' | 'kept'> {
  /** Path of the checkpoint that was kept. */
  readonly adapters: string;
  /** Path of the last one of the first stage; null where it is the one that was kept. */
  readonly between: string | null;
}

/** Trains a candidate from its last checkpoint on, until the last step or until held-out items show no more progress. */
async function train(migration: Migration, candidate: ModelCandidate): Promise<Trained> {
  const { settings, state, subject } = migration;
  const { steps, labels, rank, learningRate, batch, ranks, patience = 0 } = settings.recover!;
  const all = steps + labels;
  const optimizer = { learningRate, weightDecay: 0, warmUpSteps: Math.ceil(all / 20), steps: all, clip: 1 };
  const files = await trainingFiles(migration);
  const folder = resolve(state.folder, 'recovered', fileNameOf(candidate.name, ''));
  await mkdir(folder, { recursive: true });
  const losses: Record<AdapterTraining['objective'], number[]> = { transfer: [], labels: [] };
  let parameters = 0;
  let checkpoint: string | null = null;
  const pathOf = (step: number) => join(folder, `${step}.safetensors`);
  const judged: Judged[] = [];
  let together: CandidateRanks | undefined;
  const trained = async (training: AdapterTraining): Promise<TrainedSteps> => {
    if (ranks === 1) return subject.train!(candidate, training);
    together ??= await subject.openRanks!(candidate, ranksOptions(migration, ranks));
    const { costs: _, ...found } = await together.train(training);
    return found;
  };
  try {
    for (const { objective, from, to } of checkpointsOf(steps, labels)) {
      const output = pathOf(to);
      const items = batchesOf(files, { from, to, batch }).map(({ file }) => file);
      const training: AdapterTraining = { objective, items, batch, rank, seed: settings.seed, optimizer, state: checkpoint, output };
      const run = () => {
        migration.signal?.throwIfAborted();
        migration.progress(`recover/${candidate.name}`, `${candidate.name}: training, step ${to} of ${all}`, to / all);
        return trained(training);
      };
      const done = await state.step(`recover/${candidate.name}/${to}`, run);
      // A user may have made room since.
      if (!existsSync(output)) await run();
      losses[objective].push(...done.losses);
      parameters = done.parameters;
      checkpoint = output;
      if (patience === 0 || to < steps) continue;
      judged.push(await judge(migration, { ...candidate, adapters: checkpoint }, to));
      if (isSpent(judged, patience)) break;
    }
  } finally {
    await together?.dispose();
  }
  const kept = judged.length === 0 ? all : bestOf(judged);
  return { parameters, losses, judged, kept, adapters: pathOf(kept), between: kept > steps ? pathOf(steps) : null };
}

/** Whether so many checkpoints in a row did not lose less than the best before them. */
export function isSpent(judged: readonly Judged[], patience: number): boolean {
  const least = Math.min(...judged.map(({ loss }) => loss));
  return judged.length - 1 - judged.findIndex(({ loss }) => loss === least) >= patience;
}

/** The step of the checkpoint that loses least; of equal ones the last, which learned most. */
export function bestOf(judged: readonly Judged[]): number {
  return judged.reduce((best, each) => (each.loss <= best.loss ? each : best)).step;
}

/** A checkpoint on the items that tuning looks at: neither trained on nor judged. */
async function judge(migration: Migration, candidate: ModelCandidate, step: number): Promise<Judged> {
  const { state, subject } = migration;
  const found = await state.step(`recover/${candidate.name}/judged/${step}`, async () => {
    migration.progress(`recover/${candidate.name}`, `${candidate.name}: judging step ${step}`);
    const items = await itemsOf(migration, 'calibration');
    return { loss: await lossOf(migration, () => subject.open(candidate), { items, scale: await lossScale(migration) }) };
  });
  // JSON has no Infinity.
  return { step, loss: (found.loss as number | null) ?? Infinity };
}

/** On the items that candidates are judged on. */
async function marginsLost(migration: Migration, candidate: ModelCandidate, { scores }: MeasuredBaseline): Promise<number> {
  const found = await migration.state.step(`recover/${candidate.name}/between`, async () => {
    migration.progress(`recover/${candidate.name}`, `${candidate.name}: judging the first stage`);
    const request = { items: await itemsOf(migration, 'judging'), base: scores, exactness: null };
    const { judgement } = await qualityOf(migration, () => migration.subject.open(candidate), request);
    return { marginsLost: Math.max(0, judgement.marginsLost) };
  });
  return (found.marginsLost as number | null) ?? Infinity;
}

/** The training in parts, each of which ends with a checkpoint. */
function checkpointsOf(steps: number, labels: number) {
  const parts: Array<{ readonly objective: AdapterTraining['objective']; readonly from: number; readonly to: number }> = [];
  for (const [objective, begin, end] of [['transfer', 0, steps] as const, ['labels', steps, steps + labels] as const])
    for (let from = begin; from < end; from += checkpointSteps) parts.push({ objective, from, to: Math.min(end, from + checkpointSteps) });
  return parts;
}
