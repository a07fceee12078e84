import type { LaunchedPeak } from '../compare/compare-memory.ts';
import type { AdapterEntry, DeepSpeedStage } from '../contract/adapter.ts';
import type { DataModule, Item } from '../contract/data.ts';
import type { Figures } from '../journal/figures.ts';
import type { Journal } from '../journal/journal.ts';
import type { Cache } from '../model/cache/cache.ts';
import type { ModelRunner } from '../model/file/open-proto.ts';
import type { Site } from '../model/sites/site.ts';
import type { Exactable } from './exactness.ts';
import type { OriginalOutputs } from './original-outputs.ts';
import type { ModelCandidate, Subject } from './subject.ts';

/** How far a migration is taken. */
export const phases = ['baseline', 'swap', 'tune'] as const;
export type Phase = (typeof phases)[number];

/** What tuning may save. */
export const goals = ['latency', 'memory'] as const;
export type Goal = (typeof goals)[number];

/** Everything that changes a result. */
export interface MigrationSettings {
  readonly backend: string;
  /** Tokens at which everything is measured. */
  readonly lengths: readonly number[];
  /** The one of them at which candidates are timed. */
  readonly compareAt: number;
  /** Items of each length that quality is judged on. */
  readonly itemsPerLength: number;
  /** Variants, as a user writes them. */
  readonly candidates: readonly string[];
  /** The largest loss of quality that is accepted: a share of the size of the original's mean score; without a task, of the outputs' size. */
  readonly qualityMargin: number;
  /** The largest slowdown or growth that passes. */
  readonly margin: number;
  /** What tuning saves within the quality margin. */
  readonly goal: Goal;
  /** Assignments that tuning may measure. */
  readonly evaluations: number;
  readonly seed: number;
  readonly maxBlocks: number;
  readonly threads: number | null;
  /** Tokens that a decoder generates from each prompt; absent where it generates none. */
  readonly generate?: number;
  /** Present where quality is judged on every item, though fewer may be enough. */
  readonly allItems?: true;
  /** Present where only candidates are timed that are shown to keep their quality. */
  readonly keptOnly?: true;
  /** Present where no figure of an earlier run is reused. */
  readonly fresh?: true;
  /** Present where a call forward and backward is measured, too. */
  readonly backward?: true;
  /** How lost quality is trained back; absent where it is not. */
  readonly recover?: RecoverySettings;
}

/** Training of low-rank parts, for candidates that lose quality. */
export interface RecoverySettings {
  /** That match new attention to the original's, layer by layer. */
  readonly steps: number;
  /** That match the model's outputs, after those. */
  readonly labels: number;
  readonly rank: number;
  readonly learningRate: number;
  /** Items per step. */
  readonly batch: number;
  /** Processes that train together, each with its share of a batch and of the model. */
  readonly ranks: number;
  /** What shares the model out among them; absent for the runtime's own means. */
  readonly deepspeed?: DeepSpeedStage;
  /** Checkpoints in a row without a better score on held-out items after which training stops; 0: never. Absent in settings of older versions. */
  readonly patience?: number;
}

/** What items are for: no item is used twice, but where the data hold too few to tune on. */
export type ItemUse = 'judging' | 'calibration' | 'held-out' | 'training';

/** A migration at work. */
export interface Migration {
  /** What is opened as the original. */
  readonly file: { readonly path: string; readonly sha256: string };
  readonly sites: Exactable & { readonly swappable: ReadonlyMap<number, { readonly site: Site }> };
  readonly runner: ModelRunner;
  readonly subject: Subject;
  /** Where workers find the adapter. */
  readonly entry: AdapterEntry;
  readonly data: DataModule;
  readonly settings: MigrationSettings;
  readonly state: Journal;
  /** What was measured before, maybe in another folder. */
  readonly figures: Figures;
  /** The cache that the model is decoded through; null where it is not. */
  readonly cache: Cache | null;
  /** What `itemsOf` made already. */
  readonly items: Map<ItemUse, Promise<readonly Item[]>>;
  /** The original's peak memory, by place and launch. */
  readonly peaks: Map<string, Map<number, LaunchedPeak>>;
  /** The original's outputs, by item. */
  readonly outputs: OriginalOutputs;
  /** Every candidate that was judged, by its name. */
  readonly judged: Map<string, ModelCandidate>;
  readonly signal?: AbortSignal | undefined;
  /** Told which step begins, what it is in words, and which share of it is done. */
  progress(step: string, what: string, part?: number): void;
}
