import type { Shape } from '../../../src/contract/shape.ts';
import type { Parameters } from '../../../src/contract/variant.ts';
import { dealHeads, readRatio } from '../../../src/variants/hierarchical/deal.ts';
import { bandReach } from '../bands.ts';
import { blockLayout } from '../blocks.ts';
import { headGroups, joinGroups, joinTensors } from '../head-groups.ts';
import { planFarHeads } from '../hierarchical/far-heads.ts';
import { planGlobal, planRegional } from '../hierarchical/far-means.ts';
import { planLocal } from '../hierarchical/local-heads.ts';
import { localBand, localTile, sizesOf } from '../hierarchical/sizes.ts';
import type { Call, Site, Tensor, TfjsKernel } from '../kernel.ts';

/** Blocks of queries in batches of small products: near keys exactly, far ones as means. */
export const hierarchicalBatched: TfjsKernel = {
  variant: 'hierarchical',
  kernel: 'batched',
  summary: 'each level as batches of small products; distant means scored separately from near keys',
  selects: () => 'nothing',
  scoredPairs,
  plan,
};

function scoredPairs(parameters: Parameters, shape: Shape): number {
  const sizes = sizesOf(parameters);
  const [near = 0, regional = 0, global = 0] = dealHeads(shape.heads, readRatio(String(parameters['ratio'])));
  const tile = localTile(sizes);
  const localPairs = blockLayout(shape, tile).queryBlocks * tile * (tile + bandReach(localBand(sizes, shape.causal)));
  const { queryBlocks, keyBlocks } = blockLayout(shape, sizes.region);
  const rows = queryBlocks * sizes.region;
  const regionalColumns = sizes.local + ((shape.causal ? 2 : 3) * sizes.region) / sizes.local;
  return shape.batch * (near * localPairs + rows * (regional * regionalColumns + global * (sizes.region + keyBlocks)));
}

function plan(site: Site): Call {
  const { tf, shape } = site;
  const sizes = sizesOf(site.parameters);
  const layout = blockLayout(shape, sizes.region);
  const levels = [
    planLocal(site, sizes),
    planFarHeads(site, sizes, sizes.local, planRegional(site, sizes, layout)),
    planFarHeads(site, sizes, sizes.region, planGlobal(site, sizes, layout)),
  ];
  const dealt = dealHeads(shape.heads, readRatio(String(site.parameters['ratio'])));
  return (tensors) => {
    const outputs: Tensor[] = [];
    let first = 0;
    for (const [level, heads] of dealt.entries()) {
      if (heads === 0) continue;
      const groups = headGroups(site, tensors, first, first + heads);
      const perGroup = groups.map((group) => tf.tidy(() => levels[level]!(group)));
      outputs.push(joinGroups(site, perGroup, heads));
      first += heads;
    }
    return joinTensors(tf, outputs, 1);
  };
}
