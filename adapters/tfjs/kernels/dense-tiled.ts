import type { TfjsKernel } from '../kernel.ts';
import { attend, overTiles, tileBias, tiledPairs, tileEnd, tileScores } from '../tiles.ts';

const tile = 256;

/** Dense attention, a tile of queries at a time: half of the n² products when causal, and tile·n memory. */
export const denseTiled: TfjsKernel = {
  variant: 'dense',
  kernel: 'tiled',
  summary: `tiles of ${tile} queries: matMul, softmax, matMul; keys after the tile are not computed when causal`,
  selects: () => 'nothing',
  scoredPairs: (_, shape) => shape.batch * shape.heads * tiledPairs(shape, tile),
  plan: (site) =>
    overTiles(site, tile, (group) => (rows) => {
      const end = tileEnd(site.shape, rows);
      const score = tileScores(site, group, rows, end);
      return attend(site, score, tileBias(site, group, rows, end), group.value.rows(0, end));
    }),
};
