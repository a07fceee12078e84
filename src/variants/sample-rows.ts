import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Shape } from '../contract/shape.ts';

/** Some queries of one head of one batch element, ascending. */
export interface HeadSample {
  readonly batch: number;
  readonly head: number;
  readonly queries: readonly number[];
}

/**
 * Every row, or about `count` of them: as many from each (batch, head), one from each of equal strata of position, the
 * first and the last query always among them. The same seed gives the same rows.
 */
export function sampleRows(shape: Shape, rows: 'all' | { readonly count: number; readonly seed: number }): HeadSample[] {
  const heads = Array.from({ length: shape.batch * shape.heads }, (_, index) => ({ batch: Math.floor(index / shape.heads), head: index % shape.heads }));
  const all = Array.from({ length: shape.queries }, (_, query) => query);
  if (rows === 'all') return heads.map((at) => ({ ...at, queries: all }));
  const perHead = Math.max(1, Math.ceil(rows.count / heads.length));
  if (perHead >= shape.queries) return heads.map((at) => ({ ...at, queries: all }));
  const generator = xoroshiro128plus(rows.seed);
  return heads.map((at) => {
    const drawn = Array.from({ length: perHead }, (_, stratum) => {
      const unit = (generator.next() >>> 0) / 0x1_0000_0000;
      return Math.min(shape.queries - 1, Math.floor(((stratum + unit) * shape.queries) / perHead));
    });
    return { ...at, queries: [...new Set([0, ...drawn, shape.queries - 1])].sort((a, b) => a - b) };
  });
}
