import type { DeepSpeedStage } from '../contract/adapter.ts';
import type { TrainingCost } from '../contract/model-attention.ts';
import { median } from '../statistics/order-statistics.ts';
import { meanInterval } from '../statistics/student.ts';
import { isRefusal } from './candidate.ts';
import type { Migration, MigrationSettings } from './migration.ts';
import { uniformCandidates } from './swap-phase.ts';
import type { CandidateRanks, ModelCandidate } from './subject.ts';
import { batchesOf, ranksOptions, trainingFiles } from './training-files.ts';
import type { TrainingFile } from './training-files.ts';

const blocks = 10;
/** What the steps of one side of a block should take. */
const blockNs = 0.5e9;
const mostSteps = 20;

/** What a training step takes of one rank. */
export interface RankCost extends Omit<TrainingCost, 'elapsedNs' | 'communicationNs'> {
  /** Median over blocks. */
  readonly stepNs: number;
  /** Tokens of its own items. */
  readonly tokensPerSecond: number;
  /** Of the time, in communication with other ranks; null of a process that is alone. */
  readonly communicationShare: number | null;
}

/** Training with some attention, in one process and on several ranks. */
export interface AttentionScaling {
  readonly candidate: string;
  /** One process that takes whole batches. */
  readonly alone: RankCost;
  readonly ranks: readonly RankCost[];
  /** Time of a step of one process, divided by the ranks' and by their number: 1 if ranks cost nothing. 95 % interval over blocks. */
  readonly efficiency: { readonly estimate: number; readonly low: number; readonly high: number };
}

/** What the ranks of a training cost, and what they gain. */
export interface Scaling {
  readonly ranks: number;
  /** Of each. */
  readonly threads: number;
  /** The original attention first. */
  readonly attentions: ReadonlyArray<AttentionScaling | { readonly candidate: string; readonly failure: string }>;
}

/** Bytes of what ranks share: parameters, gradients, optimizer state. */
export function shardedBytes({ frozenBytes, trainedBytes, gradientBytes, optimizerBytes }: RankCost): number {
  return frozenBytes + trainedBytes + gradientBytes + optimizerBytes;
}

/** What shards the model among ranks. */
export function shardedBy({ recover }: { readonly recover?: { readonly deepspeed?: DeepSpeedStage | undefined } | undefined }): string {
  return recover?.deepspeed === 'zero3' ? 'DeepSpeed ZeRO stage 3' : 'FSDP2';
}

/** Times training steps with the original's attention, and with that of each candidate. */
export async function measureScaling(migration: Migration): Promise<Scaling> {
  const { settings, state } = migration;
  const { ranks } = settings.recover!;
  const all = uniformCandidates({ ...migration, settings: { ...settings, candidates: ['dense.fused', ...settings.candidates] } });
  const attentions: Array<Scaling['attentions'][number]> = [];
  for (const candidate of all) {
    const { name } = candidate;
    const measure = async () => {
      try {
        return await scalingOf(migration, candidate, await trainingFiles(migration));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return { candidate: name, failure: error.message };
      }
    };
    attentions.push(await state.step(`scaling/${name}`, measure));
  }
  return { ranks, threads: ranksOptions(migration, ranks).threads, attentions };
}

async function scalingOf(migration: Migration, candidate: ModelCandidate, files: readonly TrainingFile[]): Promise<AttentionScaling> {
  const { settings, subject } = migration;
  const { ranks } = settings.recover!;
  const opened: CandidateRanks[] = [];
  try {
    for (const count of [1, ranks]) opened.push(await subject.openRanks!(candidate, ranksOptions(migration, count)));
    const [alone, together] = opened as [CandidateRanks, CandidateRanks];
    const arms = { alone: new Arm(alone, files, settings), together: new Arm(together, files, settings) };
    // The first steps settle memory and threads; they also tell how many fill a block.
    const first = [await arms.alone.run(0, 3), await arms.together.run(0, 3)];
    for (const arm of Object.values(arms)) arm.forget();
    const steps = Math.min(mostSteps, Math.max(2, Math.ceil(blockNs / Math.min(...first))));
    const logs: number[] = [];
    for (let block = 0; block < blocks; block += 1) {
      migration.signal?.throwIfAborted();
      migration.progress(`scaling/${candidate.name}`, `${candidate.name}: training on ${ranks} ranks, block ${block + 1} of ${blocks}`);
      const order = block % 2 === 0 ? (['alone', 'together'] as const) : (['together', 'alone'] as const);
      const stepNs = { alone: 0, together: 0 };
      for (const arm of order) stepNs[arm] = await arms[arm].run(block * steps, steps);
      logs.push(Math.log(stepNs.alone / stepNs.together / ranks));
    }
    const { mean, low, high } = meanInterval(logs, 0.025);
    const efficiency = { estimate: Math.exp(mean), low: Math.exp(low), high: Math.exp(high) };
    return { candidate: candidate.name, alone: arms.alone.costs()[0]!, ranks: arms.together.costs(), efficiency };
  } finally {
    for (const each of opened) await each.dispose();
  }
}

/** Processes that are timed, and what they took. */
class Arm {
  readonly #ranks: CandidateRanks;
  readonly #files: readonly TrainingFile[];
  readonly #settings: MigrationSettings;
  /** By rank. */
  #taken: Taken[][] = [];

  constructor(ranks: CandidateRanks, files: readonly TrainingFile[], settings: MigrationSettings) {
    this.#ranks = ranks;
    this.#files = files;
    this.#settings = settings;
  }

  /** Trains some steps anew. The time of one, of the rank that took longest. */
  async run(from: number, steps: number): Promise<number> {
    const { batch, rank, learningRate } = this.#settings.recover!;
    const items = batchesOf(this.#files, { from, to: from + steps, batch });
    const { costs } = await this.#ranks.train({
      objective: 'labels',
      items: items.map(({ file }) => file),
      batch,
      rank,
      seed: this.#settings.seed,
      optimizer: { learningRate, weightDecay: 0, warmUpSteps: 1, steps, clip: 1 },
      state: null,
      output: null,
    });
    for (const [at, cost] of costs.entries()) {
      // A batch is dealt out to the ranks in turn, and is a multiple of them.
      const own = items.filter((_, place) => place % costs.length === at);
      (this.#taken[at] ??= []).push({ cost, steps, tokens: own.reduce((sum, { length }) => sum + length, 0) });
    }
    return Math.max(...costs.map(({ elapsedNs }) => elapsedNs)) / steps;
  }

  forget(): void {
    this.#taken = [];
  }

  costs(): RankCost[] {
    return this.#taken.map(costOf);
  }
}

/** Some steps of one rank. */
interface Taken {
  readonly cost: TrainingCost;
  readonly steps: number;
  readonly tokens: number;
}

function costOf(taken: readonly Taken[]): RankCost {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const elapsedNs = sum(taken.map(({ cost }) => cost.elapsedNs));
  const { elapsedNs: _, communicationNs, peakBytes, ...held } = taken.at(-1)!.cost;
  const peaks = taken.map(({ cost }) => cost.peakBytes ?? 0);
  return {
    ...held,
    stepNs: median(taken.map(({ cost, steps }) => cost.elapsedNs / steps)),
    tokensPerSecond: sum(taken.map(({ tokens }) => tokens)) / (elapsedNs / 1e9),
    communicationShare: communicationNs === null ? null : sum(taken.map(({ cost }) => cost.communicationNs!)) / elapsedNs,
    peakBytes: peakBytes === null ? null : Math.max(...peaks),
  };
}
