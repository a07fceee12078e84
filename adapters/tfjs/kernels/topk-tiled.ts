import type { Parameters } from '../../../src/contract/variant.ts';
import { ceilTimes, decimalOf } from '../../../src/variants/decimal.ts';
import type { TfjsKernel } from '../kernel.ts';
import type { KeptTable } from '../selection.ts';
import { attend, overTiles, tileBias, tiledPairs, tileEnd, tileScores } from '../tiles.ts';

const tile = 128;

/** Exact top-k: scores of a tile of queries, those below the k-th largest masked, softmax over the rest. */
export const topkTiled: TfjsKernel = {
  variant: 'topk',
  kernel: 'tiled',
  summary: `tiles of ${tile} queries: all scores computed, all but the largest masked`,
  selects: () => 'entries',
  scoredPairs: (_, shape) => shape.batch * shape.heads * tiledPairs(shape, tile),
  plan: (site) => {
    const kept = keptTable(site.parameters, site.shape.keys);
    return overTiles(site, tile, (group) => (rows) => {
      const end = tileEnd(site.shape, rows);
      const { bias, seen } = tileBias(site, group, rows, end);
      const plain = tileScores(site, group, rows, end);
      const score = bias === undefined ? plain : site.tf.add(plain, bias);
      const dropped = site.selection.keepLargest(site.tf, score, kept.slice(0, end + 1));
      return attend(site, score, { bias: dropped, seen }, group.value.rows(0, end));
    });
  },
};

/** k, or ⌈keep·allowed⌉, of 0 … `keys` allowed keys. */
function keptTable(parameters: Parameters, keys: number): KeptTable {
  const { k, keep } = parameters;
  const share = keep === undefined ? undefined : decimalOf(Number(keep));
  return Array.from({ length: keys + 1 }, (_, allowed) =>
    share === undefined ? Math.min(Number(k ?? 32), allowed) : ceilTimes(share, allowed),
  );
}
