import type { AdapterEntry } from '../contract/adapter.ts';
import type { DataModule, Item } from '../contract/data.ts';
import type { ModelSites } from '../model/find-sites.ts';
import type { OnnxFile } from '../model/onnx-file.ts';
import type { ModelRunner } from '../model/open-proto.ts';
import type { MigrationState } from './state.ts';

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
  /** The largest loss of quality that is accepted: a share of the original's mean score, or of the drift's size without a task. */
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
}

/** A migration at work. */
export interface Migration {
  readonly file: OnnxFile;
  readonly sites: ModelSites;
  readonly runner: ModelRunner;
  /** Where workers find the adapter. */
  readonly entry: AdapterEntry;
  readonly data: DataModule;
  readonly settings: MigrationSettings;
  readonly state: MigrationState;
  /** What {@link itemsOf} made already. */
  readonly items: Map<'judging' | 'calibration', Promise<readonly Item[]>>;
  /** The original's peak memory, by length and launch. */
  readonly peaks: Map<number, Map<number, { bytes: number }>>;
  readonly signal?: AbortSignal;
  /** Told what begins. */
  progress(what: string): void;
}

/** Calibration items for each one that quality is judged on: tuning looks at many assignments, and only chooses. */
const calibrationShare = 1 / 4;

/** Items that quality is judged on, those of each length after one another; `calibration` gives others, fewer, to tune on. */
export function itemsOf({ data, settings, items }: Migration, use: 'judging' | 'calibration'): Promise<readonly Item[]> {
  const { lengths, itemsPerLength, seed } = settings;
  const calibration = { lengths, itemsPerLength: Math.max(2, Math.ceil(itemsPerLength * calibrationShare)), seed: seed + 1 };
  const made = items.get(use) ?? data.items(use === 'judging' ? { lengths, itemsPerLength, seed } : calibration);
  items.set(use, made);
  return made;
}
