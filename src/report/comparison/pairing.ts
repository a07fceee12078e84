import type { CellRecord } from '../../contract/cell.ts';
import { oneLine } from '../../text/untrusted.ts';
import { shorten } from '../../text/layout.ts';
import { nameOf, settingOf } from '../cell-facts.ts';

/** Cells of each record that are searched for the nearest ones. */
const mostSearched = 300;

/** What a cell is apart from its backend: cells with the same key may be compared. */
export function pairKey({ variant, kernel, shape, pass, inputs, seed }: CellRecord): string {
  const { batch, heads, kvHeads, queries, keys, headDim, causal, dtype } = shape;
  const sizes = [batch, heads, kvHeads, queries, keys, headDim, causal, dtype];
  return JSON.stringify([variant.name, sortedParameters(variant.params), kernel, sizes, pass, inputs, seed]);
}

/** `512 tokens · 8 heads × 64 · causal · f32 · calibrated`: all but kernel and backend. */
export function settingWithoutBackend(cell: CellRecord): string {
  return settingOf(cell, { length: true }).slice(`${cell.backend} · `.length);
}

/** In what the two cells that differ least differ: `heads 8 against 12`. Both lists hold cells, and share none. */
export function nearestDifferences(base: readonly CellRecord[], other: readonly CellRecord[]): string[] {
  let nearest: string[] | undefined;
  const others = other.slice(0, mostSearched).map(factsOf);
  for (const facts of base.slice(0, mostSearched).map(factsOf)) {
    for (const candidate of others) {
      const differing = facts.flatMap(([field, value], index) => {
        const against = candidate[index]![1];
        return value === against ? [] : [`${field} ${tidy(value)} against ${tidy(against)}`];
      });
      if (nearest === undefined || differing.length < nearest.length) nearest = differing;
    }
  }
  return nearest ?? [];
}

function factsOf(cell: CellRecord): Array<readonly [field: string, value: string]> {
  const { batch, heads, kvHeads, queries, keys, headDim, causal, dtype } = cell.shape;
  return [
    ['kernel', nameOf(cell)],
    ['batch', String(batch)],
    ['heads', heads === kvHeads ? String(heads) : `${heads}/${kvHeads}`],
    ['length', queries === keys ? String(queries) : `${queries} × ${keys}`],
    ['head dimension', String(headDim)],
    ['mask', causal ? 'causal' : 'full'],
    ['type', dtype],
    ['pass', cell.pass ?? 'forward'],
    ['inputs', cell.inputs],
    ['seed', String(cell.seed)],
  ];
}

function sortedParameters(parameters: CellRecord['variant']['params']) {
  return Object.entries(parameters).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function tidy(text: string): string {
  return shorten(oneLine(text), 80);
}
