import type { Shape } from '../contract/shape.ts';
import { RandomStream } from '../inputs/random.ts';
import { allRows } from './reference.ts';
import type { RowAddress } from './reference.ts';

/**
 * Every row, or about `count` of them: as many from each (batch, head), one from each of equal strata of position, the
 * first and the last query always among them. The same seed gives the same rows.
 */
export function sampleRows(shape: Shape, rows: 'all' | { readonly count: number; readonly seed: number }): RowAddress[] {
  const heads = shape.batch * shape.heads;
  if (rows === 'all') return allRows(shape);
  const perHead = Math.max(1, Math.ceil(rows.count / heads));
  if (perHead >= shape.queries) return allRows(shape);
  const stream = new RandomStream(rows.seed, 'judged rows');
  return Array.from({ length: heads }, (_, index) => {
    const drawn = Array.from({ length: perHead }, (_stratum, stratum) =>
      Math.min(shape.queries - 1, Math.floor(((stratum + stream.uniform()) * shape.queries) / perHead)),
    );
    const queries = [...new Set([0, ...drawn, shape.queries - 1])].sort((a, b) => a - b);
    return queries.map((query) => ({ batch: Math.floor(index / shape.heads), head: index % shape.heads, query }));
  }).flat();
}
