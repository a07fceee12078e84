import type { Shape } from '../../../src/contract/shape.ts';
import type { Parameters } from '../../../src/contract/variant.ts';
import { windowSpan } from '../../../src/variants/window/span.ts';
import { joinTensors } from '../head-groups.ts';
import type { Site, Tensor, TfjsKernel } from '../kernel.ts';
import { maskedScore } from '../selection.ts';
import type { Tile, TileBias, TiledGroup } from '../tiles.ts';
import { attend, overTiles, padded, paddingBias, queryTiles } from '../tiles.ts';

const tile = 64;

/** Keys [low, high) of a tile's windows, and the `globals` keys [0, prefix) that lie before them. */
interface Band {
  readonly prefix: number;
  readonly low: number;
  readonly high: number;
}

/** Sliding window: tiles of queries against the band of keys that their windows cover, n·(w + tile) products. */
export const windowTiled: TfjsKernel = {
  variant: 'window',
  kernel: 'tiled',
  summary: `tiles of ${tile} queries against their band of keys`,
  selects: () => 'nothing',
  scoredPairs(parameters, shape) {
    const perHead = queryTiles(shape, tile).reduce((sum, rows) => {
      const { prefix, low, high } = bandOf(parameters, shape, rows);
      return sum + rows.rows * (prefix + high - low);
    }, 0);
    return shape.batch * shape.heads * perHead;
  },
  plan(site) {
    return overTiles(site, tile, (group) => (rows) => {
      const band = bandOf(site.parameters, site.shape, rows);
      const query = group.query.rows(rows.first, rows.rows);
      const key = cutBand(site, band, 2, group.keyTransposed.columns);
      const value = cutBand(site, band, 1, group.value.rows);
      return attend(site, site.tf.matMul(query, key), biasOf(site, group, rows, band), value);
    });
  },
};

/** A tile with a global query reads all keys that its rows may see. */
function bandOf(parameters: Parameters, shape: Shape, rows: Tile): Band {
  const { left, right } = windowSpan(Number(parameters['w']), shape.causal);
  const globals = Number(parameters['globals']);
  const end = rows.position + rows.rows;
  if (rows.position < globals) return { prefix: 0, low: 0, high: shape.causal ? end : shape.keys };
  const low = Math.max(0, rows.position - left);
  return { prefix: Math.min(globals, low), low, high: Math.min(shape.keys, end + right) };
}

function cutBand({ tf }: Site, band: Band, axis: number, cut: (first: number, count: number) => Tensor): Tensor {
  const near = cut(band.low, band.high - band.low);
  return band.prefix === 0 ? near : joinTensors(tf, [cut(0, band.prefix), near], axis);
}

function biasOf(site: Site, { group: { mask } }: TiledGroup, rows: Tile, band: Band): TileBias {
  const padding = mask && cutBand(site, band, 2, (first, count) => paddingBias(site, mask, first, count));
  return padded(site, patternBias(site, rows, band), padding);
}

function patternBias(site: Site, rows: Tile, band: Band): Tensor {
  const { left, right } = windowSpan(Number(site.parameters['w']), site.shape.causal);
  const globals = Number(site.parameters['globals']);
  const columns = band.prefix + band.high - band.low;
  const bias = new Float32Array(rows.rows * columns).fill(maskedScore);
  for (let row = 0; row < rows.rows; row++) {
    const position = rows.position + row;
    const last = site.shape.causal ? position + 1 : site.shape.keys;
    const from = position < globals ? 0 : position - left;
    const to = position < globals ? last : Math.min(last, position + right + 1);
    const open = (first: number, end: number) => {
      const at = row * columns + band.prefix - band.low;
      if (end > first) bias.fill(0, at + Math.max(first, band.low), at + Math.min(end, band.high));
    };
    open(Math.max(from, band.low), to);
    open(band.low, Math.min(globals, last));
    bias.fill(0, row * columns, row * columns + band.prefix);
  }
  return site.tf.tensor3d(bias, [1, rows.rows, columns]);
}
