import { readsBehind } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import type { Candidate } from './candidate.ts';
import { sizesOnly } from './size-reads.ts';

/**
 * Whether queries and keys belong to two sequences: the queries come from an input of the model that the keys do not come from, or from
 * constants alone. With a past, the keys come from all that the queries come from, and from the past.
 */
export function attendsAcross(index: GraphIndex, { query, key }: Pick<Candidate, 'query' | 'key'>): boolean {
  const keys = inputsBehind(index, key.tensor);
  const queries = inputsBehind(index, query.tensor);
  return queries.size === 0 ? keys.size > 0 : [...queries].some((name) => !keys.has(name));
}

/** Inputs of the model whose values a tensor is computed from. */
function inputsBehind(index: GraphIndex, tensor: string): Set<string> {
  const inputs = new Set(index.graph.input.map(({ name }) => name));
  const found = new Set<string>();
  const seen = new Set([tensor]);
  for (const name of seen) {
    const node = index.producer(name);
    if (node === undefined && inputs.has(name) && index.constant(name) === undefined) found.add(name);
    if (node === undefined || sizesOnly.has(node.opType)) continue;
    for (const read of readsBehind(node, name)) seen.add(read);
  }
  return found;
}
