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

/** Operators that pick some of their data, by indices or by a condition. */
const picking: ReadonlySet<string> = new Set(['Gather', 'GatherND', 'GatherElements', 'Compress']);
/** Operators that put rows into their data. */
const placing: ReadonlySet<string> = new Set(['ScatterND', 'ScatterElements', 'Scatter']);

/**
 * Tells of candidates whether their queries are some positions alone, picked by what the model's inputs hold: fewer than the keys, or scattered among
 * them, as behind an early exit. Queries and keys that are picked by the same indices are whole sequences again, as are rows that were put back.
 */
export function pickingQueries(index: GraphIndex): (candidate: Pick<Candidate, 'query' | 'key'>) => boolean {
  const isComputed = (name: string | undefined) => name !== undefined && inputsBehind(index, name).size > 0;
  const picks = new Set(
    index.graph.node.filter(({ opType, input }) => picking.has(opType) && isComputed(input[1]) && isComputed(input[0])),
  );
  if (picks.size === 0) return () => false;
  const pickedBy = (tensor: string) => {
    const found = new Set<string>();
    const seen = new Set([tensor]);
    for (const name of seen) {
      const node = index.producer(name);
      if (node === undefined || sizesOnly.has(node.opType)) continue;
      if (picks.has(node)) found.add(node.input[1]!);
      // What is picked is asked for, not what picks it.
      const reads = picks.has(node) || placing.has(node.opType) ? [node.input[0]!] : readsBehind(node, name);
      for (const read of reads) seen.add(read);
    }
    return found;
  };
  return ({ query, key }) => {
    const keys = pickedBy(key.tensor);
    return [...pickedBy(query.tensor)].some((indices) => !keys.has(indices));
  };
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
