import { attendOnDevice } from './attend-blocks-on-device.ts';
import { attendOnHost } from './attend-blocks-on-host.ts';
import { blockLayout } from './blocks.ts';
import type { BlockLayout } from './blocks.ts';
import type { BlockRule } from './block-rule.ts';
import { headGroups, joinGroups } from './head-groups.ts';
import type { Call, Site, Tensor } from './kernel.ts';

/** A call that attends to chosen blocks alone: the others are neither scored nor read. */
export function overSelectedBlocks(site: Site, rule: BlockRule): Call {
  const { tf } = site;
  const layout = blockLayout(site.shape, rule.size);
  const attend = site.selection.blocks === 'host' ? attendOnHost : attendOnDevice;
  return (tensors) => {
    const groups = headGroups(site, tensors);
    return joinGroups(
      site,
      groups.map((group) => tf.tidy(() => attend(site, { group, layout, rule, choice: rule.choose(group, layout) }))),
    );
  };
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
