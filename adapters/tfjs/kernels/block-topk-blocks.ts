import { blockLayout, blockMeans, blockSpeakers, countedKeys, emptyBias, wholeKeyBlocks } from '../blocks.ts';
import type { BlockLayout } from '../blocks.ts';
import type { HeadGroup } from '../head-groups.ts';
import type { Call, Site, TfjsKernel } from '../kernel.ts';
import { maskedScore } from '../selection.ts';
import type { KeptTable } from '../selection.ts';
import { selectedPairs } from '../block-rule.ts';
import type { BlockChoice } from '../block-rule.ts';
import { candidateBias, overSelectedBlocks } from '../selected-blocks.ts';

/** Far above any score, so that the own block and block 0 are taken first. */
const always = -maskedScore / 8;

/** Block-sparse attention by block scores: each block of queries reads `blocks` blocks of keys. */
export const blockTopkBlocks: TfjsKernel = {
  variant: 'block-topk',
  kernel: 'blocks',
  summary: 'scores block means, then attends to the chosen blocks only',
  selects: () => 'blocks',
  scoredPairs(parameters, shape) {
    const size = Number(parameters['block']);
    const { queryBlocks, keyBlocks } = blockLayout(shape, size);
    const perHead = selectedPairs(keptTable(Number(parameters['blocks']), keyBlocks), shape, size) + queryBlocks * keyBlocks;
    return shape.batch * shape.heads * perHead;
  },
  plan(site): Call {
    const size = Number(site.parameters['block']);
    const kept = keptTable(Number(site.parameters['blocks']), blockLayout(site.shape, size).keyBlocks);
    return overSelectedBlocks(site, { size, kept, choose: (group, layout) => choose(site, group, layout) });
  },
};

function keptTable(blocks: number, keyBlocks: number): KeptTable {
  return Array.from({ length: keyBlocks + 1 }, (_, allowed) => Math.min(blocks, allowed));
}

function choose(site: Site, group: HeadGroup, layout: BlockLayout): BlockChoice {
  const { tf, scale } = site;
  const { mean, tokens } = blockMeans(site, wholeKeyBlocks(site, group.key, layout), countedKeys(site, group, layout), layout.size);
  const meanTransposed = tf.transpose(mean, [0, 2, 1]);
  const speakers = tf.mul(blockSpeakers(site, group, layout), scale);
  const empty = tf.reshape(emptyBias(site, tokens), [tokens.shape[0]!, 1, layout.keyBlocks]);
  const bias = { forOwn: always, forOther: (block: number) => (block === 0 ? always : 0), barred: maskedScore };
  return {
    score(from, count) {
      const rows = tf.slice(speakers, [0, from, 0], [group.size, count, site.shape.headDim]);
      const score = tf.matMul(rows, meanTransposed);
      const open = tf.add(score, candidateBias(site, layout, { from, count }, bias));
      return group.mask === undefined ? open : tf.add(open, empty);
    },
  };
}
