import type { Shape } from '../../src/contract/shape.ts';
import { attendOnDevice } from './attend-blocks-on-device.ts';
import { attendOnHost } from './attend-blocks-on-host.ts';
import { blockLayout } from './blocks.ts';
import type { BlockLayout } from './blocks.ts';
import { headGroups, joinGroups } from './head-groups.ts';
import type { HeadGroup } from './head-groups.ts';
import type { Call, Site, Tensor } from './kernel.ts';
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

/** A call that attends to chosen blocks alone: the others are neither scored nor read. */
export function overSelectedBlocks(site: Site, rule: BlockRule): Call {
  const { tf } = site;
  const layout = blockLayout(site.shape, rule.size);
  const attend = site.selection.where === 'host' ? attendOnHost : attendOnDevice;
  return (tensors) => {
    const groups = headGroups(site, tensors);
    return joinGroups(
      site,
      groups.map((group) => tf.tidy(() => attend(site, { group, layout, rule, choice: rule.choose(group, layout) }))),
    );
  };
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

/** What is added to the scores of blocks [from, from + count): `forOwn` for the own block, `forOthers` where causality allows them, `barred` elsewhere. */
export function candidateBias(
  { tf, shape }: Site,
  layout: BlockLayout,
  at: { from: number; count: number },
  bias: { forOwn: number; forOther(block: number): number; barred: number },
): Tensor {
  const { keyBlocks, first } = layout;
  const values = new Float32Array(at.count * keyBlocks);
  for (let t = 0; t < at.count; t++) {
    const own = first + at.from + t;
    for (let block = 0; block < keyBlocks; block++) {
      const open = !shape.causal || block < own;
      values[t * keyBlocks + block] = block === own ? bias.forOwn : open ? bias.forOther(block) : bias.barred;
    }
  }
  return tf.tensor3d(values, [1, at.count, keyBlocks]);
}
