import type { BlockLayout } from './blocks.ts';
import { cutOf } from './cut.ts';
import type { Cut } from './cut.ts';
import { joinTensors } from './head-groups.ts';
import type { Site, Tensor } from './kernel.ts';

/** How many rows before and after its own a block reads. */
export interface Band {
  readonly before: number;
  readonly after: number;
}

export function bandReach({ before, after }: Band): number {
  return before + after;
}

/** Whole blocks of rows, `[group, blocks·size, width]`, with as many blocks of `fill` at both ends as bands reach beyond them. */
export function padForBands(site: Site, tensor: Tensor, size: number, band: Band, fill = 0): Cut {
  const rows = (reach: number) => Math.ceil(reach / size) * size;
  const pads: Array<[number, number]> = [
    [0, 0],
    [rows(band.before), rows(band.after)],
    [0, 0],
  ];
  return cutOf(site, bandReach(band) === 0 ? tensor : site.tf.pad(tensor, pads, fill));
}

/**
 * The rows of each block of queries with those around it, `[group, queryBlocks, size + before + after, width]`: joined from
 * slices shifted by whole blocks, because gathering row by row costs ten times as much in WebAssembly.
 */
export function bandBlocks(site: Site, padded: Cut, { size, first, queryBlocks }: BlockLayout, band: Band): Tensor {
  const { tf } = site;
  const [group = 1, , width = 1] = padded.whole.shape;
  const before = Math.ceil(band.before / size);
  const after = Math.ceil(band.after / size);
  const pieces: Tensor[] = [];
  for (let shift = -before; shift <= after; shift++) {
    const rows = padded.rows((first + shift + before) * size, queryBlocks * size);
    const from = shift < 0 ? Math.max(0, -shift * size - band.before) : 0;
    const end = shift > 0 ? Math.min(size, band.after - (shift - 1) * size) : size;
    const blocks = tf.reshape(rows, [group, queryBlocks, size, width]);
    pieces.push(end - from === size ? blocks : tf.slice(blocks, [0, 0, from, 0], [group, queryBlocks, end - from, width]));
  }
  return joinTensors(tf, pieces, 2);
}
