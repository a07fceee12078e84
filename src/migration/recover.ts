import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Item } from '../contract/data.ts';
import { AttnswapError } from '../contract/errors.ts';
import type { AdapterTraining, TrainedSteps } from '../contract/model-attention.ts';
import type { MeasuredBaseline } from './baseline-phase.ts';
import { fileNameOf, isRefusal, judgeCandidate } from './candidate.ts';
import type { CandidateResult } from './candidate.ts';
import { judgementOf, lostOf, qualitiesOf } from './candidate-quality.ts';
import { itemsOf } from './items.ts';
import { lossOf, lossScale } from './loss-of.ts';
import type { Migration } from './migration.ts';
import type { CandidateRanks, ModelCandidate } from './subject.ts';
import { batchesOf, ranksOptions, trainingFiles } from './training-files.ts';

/** Steps between two checkpoints: what a kill loses at most. */
const checkpointSteps = 50;

/** Why training did not stop early, though it was asked to. */
export const trainedToTheEnd = 'trained to the end, because the data has no items that are neither trained on nor judged';

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
  /** How many items those are; 0 where training does not stop early, or the data have none. */
  readonly heldOut: number;
  /** Steps of the checkpoint that was kept. */
  readonly kept: number;
  /** Quality lost, in margins: the worst of what was judged before training (the prefill; of a decoder, also behind the cache and in generation). */
  readonly lostBefore: number;
  /** After the first stage alone; null where nothing followed it, or where it gives nothing that can be scored. */
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
  for (const before of candidates) {
    const { name, quality } = before;
    if (quality === null) continue;
    const { outcome, marginsLost: lostBefore } = judgementOf(before);
    if (outcome === 'pass' || !(lostBefore > 0 && lostBefore < Infinity)) continue;
    try {
      const plain = migration.judged.get(name)!;
      const { adapters, between, ...training } = await train(migration, plain);
      const result = await judgeCandidate(migration, { ...plain, name: `${name} recovered`, adapters }, baseline);
      // Its attention is that of a candidate that was written: what fails now is the training's.
      if (result.quality === null) throw new AttnswapError('UNSUPPORTED', result.decision.reasons[0] ?? 'it cannot be written');
      const lostAfter = lostOf(result, before);
      const firstStage = between === null ? null : await betweenStages(migration, { ...plain, adapters: between }, baseline);
      const lostBetween = firstStage && lostOf(firstStage, before);
      found.push({ from: name, ...training, lostBefore, lostBetween, lostAfter, share: 1 - lostAfter / lostBefore, result });
    } catch (error) {
      // Ctrl-C reaches workers, too.
      migration.signal?.throwIfAborted();
      if (!isRefusal(error)) throw error;
      found.push({ from: name, failure: error.message });
    }
  }
  return found;
}

interface Trained extends Pick<Recovered, 'parameters' | 'losses' | 'judged' | 'heldOut' | 'kept'> {
  /** Path of the checkpoint that was kept. */
  readonly adapters: string;
  /** Path of the last one of the first stage; null where it is the one that was kept. */
  readonly between: string | null;
}

/** Trains a candidate from its last checkpoint on, until the last step or until held-out items show no more progress. */
export async function train(migration: Migration, candidate: ModelCandidate): Promise<Trained> {
  const { settings, state, subject } = migration;
  const { steps, labels, rank, learningRate, batch, ranks, patience = 0 } = settings.recover!;
  const heldOut = patience === 0 ? [] : await itemsOf(migration, 'held-out');
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
      if (heldOut.length === 0 || to < steps) continue;
      judged.push(await judge(migration, { ...candidate, adapters: checkpoint }, { step: to, heldOut }));
      if (isSpent(judged, patience)) break;
    }
  } finally {
    await together?.dispose();
  }
  const kept = judged.length === 0 ? all : bestOf(judged);
  const between = steps > 0 && kept > steps ? pathOf(steps) : null;
  return { parameters, losses, judged, heldOut: heldOut.length, kept, adapters: pathOf(kept), between };
}

/** Whether so many checkpoints in a row lost more than the best before them, had nothing left to gain, or gave faulty outputs. */
export function isSpent(judged: readonly Judged[], patience: number): boolean {
  const least = Math.min(...judged.map(({ loss }) => loss));
  const best =
    least > 0 && least < Infinity ? judged.findLastIndex(({ loss }) => loss === least) : judged.findIndex(({ loss }) => loss === least);
  return judged.length - 1 - best >= patience;
}

/** The step of the checkpoint that loses least; of equal ones the last, which learned most. */
export function bestOf(judged: readonly Judged[]): number {
  return judged.reduce((best, each) => (each.loss <= best.loss ? each : best)).step;
}

/** A checkpoint on held-out items. One that does not run on them, or whose outputs cannot be scored, loses everything; those before it may not. */
async function judge(
  migration: Migration,
  candidate: ModelCandidate,
  { step, heldOut }: { readonly step: number; readonly heldOut: readonly Item[] },
): Promise<Judged> {
  const { state, subject } = migration;
  const scale = await lossScale(migration, heldOut);
  const found = await state.step(`recover/${candidate.name}/judged/${step}`, async () => {
    migration.progress(`recover/${candidate.name}`, `${candidate.name}: judging step ${step}`);
    try {
      return { loss: await lossOf(migration, () => subject.open(candidate), { items: heldOut, scale }) };
    } catch (error) {
      // Ctrl-C reaches workers too: how they end is then no result.
      migration.signal?.throwIfAborted();
      if (!isRefusal(error)) throw error;
      return { loss: Infinity };
    }
  });
  // JSON has no Infinity.
  return { step, loss: (found.loss as number | null) ?? Infinity };
}

/** A candidate's quality after the first stage, on the items that candidates are judged on; null where it cannot be judged. */
async function betweenStages(migration: Migration, candidate: ModelCandidate, baseline: MeasuredBaseline) {
  const name = `${candidate.name} after the first stage`;
  try {
    const { decode, ...others } = await qualitiesOf(migration, { ...candidate, name }, baseline);
    return { ...others, decode: decode && { quality: decode } };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return null;
  }
}

/** The training in parts, each of which ends with a checkpoint. */
function checkpointsOf(steps: number, labels: number) {
  const parts: Array<{ readonly objective: AdapterTraining['objective']; readonly from: number; readonly to: number }> = [];
  for (const [objective, begin, end] of [['transfer', 0, steps] as const, ['labels', steps, steps + labels] as const])
    for (let from = begin; from < end; from += checkpointSteps) parts.push({ objective, from, to: Math.min(end, from + checkpointSteps) });
  return parts;
}
