import type { Shape } from '../../src/contract/shape.ts';
import { blockLayout } from './blocks.ts';
import type { BlockLayout } from './blocks.ts';
import type { HeadGroup } from './head-groups.ts';
import type { Tensor } from './kernel.ts';
import type { KeptTable } from './selection.ts';

/** Scores of blocks of queries [from, from + count) with every block of keys: `[group, count, keyBlocks]`. */
export type BlockScores = (from: number, count: number) => Tensor;

/** How blocks of queries choose what they read. */
export interface BlockChoice {
  /** The `kept` largest are read; blocks that may not be are masked. */
  readonly score: BlockScores;
  /** Of the gate that corrects the scores of every block but the own one. */
  readonly gate?: BlockScores;
}

export interface BlockRule {
  readonly size: number;
  /** Blocks read, of 0, 1, 2, … that may be: the own one among them. */
  readonly kept: KeptTable;
  choose(group: HeadGroup, layout: BlockLayout): BlockChoice;
}

/** Blocks of queries [from, from + count), each reading `slots` blocks at most. */
export interface BlockRun {
  readonly from: number;
  readonly count: number;
  readonly slots: number;
}

export interface BlockTask {
  readonly group: HeadGroup;
  readonly layout: BlockLayout;
  readonly rule: BlockRule;
  readonly choice: BlockChoice;
}

/** Most blocks that the block of queries `t` reads. */
export function slotsOf(kept: KeptTable, layout: BlockLayout, causal: boolean, t: number): number {
  return Math.max(1, kept[causal ? layout.first + t + 1 : layout.keyBlocks]!);
}

/** q·k products of one head: every block that is read counted whole. */
export function selectedPairs(kept: KeptTable, shape: Shape, size: number): number {
  const layout = blockLayout(shape, size);
  let pairs = 0;
  for (let t = 0; t < layout.queryBlocks; t++) pairs += slotsOf(kept, layout, shape.causal, t) * size * size;
  return pairs;
}
