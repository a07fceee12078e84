import type { RankedRow } from './ranked-row.ts';

/** e^H(p) keys: the perplexity of the row. With w = e^−deficit and W = Σw, H = ln W + Σ w·deficit/W. */
export function perplexity(row: RankedRow): number {
  let weighted = 0;
  for (let entry = 0; entry < row.length; entry += 1) {
    const weight = row.weight[entry]!;
    if (weight > 0) weighted += weight * row.deficit[entry]!;
  }
  return row.total * Math.exp(weighted / row.total);
}

/** 1/Σp² keys: the participation ratio of the row. */
export function participation(row: RankedRow): number {
  let squares = 0;
  for (let entry = 0; entry < row.length; entry += 1) squares += row.weight[entry]! * row.weight[entry]!;
  return (row.total * row.total) / squares;
}
