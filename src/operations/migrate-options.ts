import { AttnswapError } from '../contract/errors.ts';
import type { DeepSpeedStage } from '../contract/adapter.ts';
import type { Goal, MigrationSettings, Phase, RecoverySettings } from '../migration/migration.ts';
import type { DataOptions } from './data-options.ts';
import { defaults } from './defaults.ts';
import type { ModelOptions } from './open-model.ts';

export interface MigrateOptions extends ModelOptions, DataOptions {
  /** Last phase to run. @default 'tune' */
  readonly until?: Phase | undefined;
  /** Folder for all results; the same options resume there. @default 'runs/<model>.migration' */
  readonly dir?: string | undefined;
  /** Replacements to try. @default ['dense.fused', 'dense.tiled', 'window:w=256', 'block-topk', 'topk:k=64'] */
  readonly candidates?: readonly string[] | undefined;
  /** Items per length for judging quality. @default 8 */
  readonly items?: number | undefined;
  /** Judges quality on every item, even if fewer are enough. @default false */
  readonly allItems?: boolean | undefined;
  /** Times only candidates that are shown to keep their quality; the others are then rejected. @default false */
  readonly keptOnly?: boolean | undefined;
  /** The length at which candidates are timed. @default the longest */
  readonly compareAt?: number | undefined;
  /** Largest acceptable quality loss, as a share. @default 0.02 */
  readonly qualityMargin?: number | undefined;
  /** Largest acceptable increase in latency or memory, as a share. @default 0.05 */
  readonly margin?: number | undefined;
  /** What to tune for, within the quality margin. @default 'latency' */
  readonly goal?: Goal | undefined;
  /** Maximum number of assignments that tuning measures. @default 24 */
  readonly evaluations?: number | undefined;
  /** Maximum number of blocks in the final comparison. @default 10 */
  readonly maxBlocks?: number | undefined;
  /** Threads per operator. @default the runtime's own */
  readonly threads?: number | undefined;
  /** Tokens to generate from each item, compared with the original's (decoders with a cache). @default none */
  readonly generate?: number | undefined;
  /** Also compares a call forward and backward (PyTorch models); no verdict rests on it. @default false */
  readonly backward?: boolean | undefined;
  /** Trains low-rank updates for candidates that lose quality (PyTorch models). @default none */
  readonly recover?: Partial<Omit<RecoverySettings, 'ranks' | 'deepspeed'>> | undefined;
  /** Reuses no figures of earlier runs (`.attnswap/figures`); a folder that began without this cannot go on with it. @default false */
  readonly fresh?: boolean | undefined;
  /** Processes that train together, the model sharded among them; their cost is measured, too. @default 1 */
  readonly ranks?: number | undefined;
  /** What shares the model out among several ranks: DeepSpeed's ZeRO stage 3 instead of PyTorch's FSDP2. @default none */
  readonly deepspeed?: DeepSpeedStage | undefined;
}

/** @throws USAGE */
export function settingsOf(options: MigrateOptions & { readonly backend: string }, lengths: readonly number[]): MigrationSettings {
  const sorted = [...new Set(lengths)].sort((a, b) => a - b);
  // Attention's share grows with the length: a gain shows there first.
  const compareAt = options.compareAt ?? sorted.at(-1)!;
  if (!sorted.includes(compareAt))
    throw new AttnswapError('USAGE', `--compare-at is ${compareAt}, expected one of the lengths ${sorted.join(', ')}`);
  return {
    backend: options.backend,
    lengths: sorted,
    compareAt,
    itemsPerLength: options.items ?? defaults.items,
    candidates: options.candidates ?? defaults.candidates,
    qualityMargin: options.qualityMargin ?? defaults.qualityMargin,
    margin: options.margin ?? defaults.margin,
    goal: options.goal ?? 'latency',
    evaluations: options.evaluations ?? defaults.evaluations,
    seed: options.seed ?? defaults.seed,
    maxBlocks: options.maxBlocks ?? defaults.finalBlocks,
    threads: options.threads ?? null,
    ...(options.allItems === true && { allItems: true as const }),
    ...(options.keptOnly === true && { keptOnly: true as const }),
    ...(options.fresh === true && { fresh: true as const }),
    ...(options.generate !== undefined && { generate: options.generate }),
    ...(options.backward === true && { backward: true as const }),
    ...recoveryOf(options),
  };
}

/** @throws USAGE */
export function recoveryOf({ recover, ranks = defaults.recovery.ranks, deepspeed }: MigrateOptions): Pick<MigrationSettings, 'recover'> {
  if (deepspeed !== undefined && ranks === 1)
    throw new AttnswapError('USAGE', `--deepspeed ${deepspeed} is for several ranks`, {
      hint: `--recover transfer --ranks 2 --deepspeed ${deepspeed}`,
    });
  if (recover === undefined) {
    if (ranks === defaults.recovery.ranks) return {};
    throw new AttnswapError('USAGE', '--ranks is for training', { hint: `--recover transfer --ranks ${ranks}` });
  }
  const { batch = ranks, ...given } = recover;
  if (given.steps === 0 && given.labels === 0)
    throw new AttnswapError('USAGE', '--recover transfer:steps=0,labels=0: nothing to train', { hint: 'omit one of them, or --recover' });
  const sharing = deepspeed === undefined ? { ranks } : { ranks, deepspeed };
  if (batch % ranks === 0) return { recover: { ...defaults.recovery, ...given, batch, ...sharing } };
  throw new AttnswapError('USAGE', `--recover transfer:batch=${batch}: expected a multiple of --ranks ${ranks}`, {
    hint: 'each rank takes an equal part of a batch',
  });
}
