import type { ModelInput } from '../../contract/adapter.ts';
import type { DimensionSizes } from '../../inputs/model-inputs.ts';
import { followSizes } from '../fit/follow-sizes.ts';
import { readsBehind } from '../graph/graph-index.ts';
import type { GraphIndex } from '../graph/graph-index.ts';
import type { Candidate } from './candidate.ts';
import type { Probed } from './probe-candidates.ts';
import { batchName, guessSizes, named } from './probe-inputs.ts';
import type { ProbeCase } from './probe-inputs.ts';
import { sizesOnly } from './size-reads.ts';
import { viewedSizes } from './views.ts';
import type { View } from './views.ts';

/**
 * Whether queries and keys belong to two sequences: the queries come from an input of the model that the keys do not come from, or from
 * constants alone. With a past, the keys come from all that the queries come from, and from the past.
 */
export function attendsAcross(index: GraphIndex, { query, key }: Pick<Candidate, 'query' | 'key'>): boolean {
  const keys = inputsBehind(index, key.tensor);
  const queries = inputsBehind(index, query.tensor);
  return queries.size === 0 ? keys.size > 0 : [...queries].some((name) => !keys.has(name));
}

/** Whether queries and keys have no input of the model in common. */
export function comeApart(index: GraphIndex, { query, key }: Pick<Candidate, 'query' | 'key'>): boolean {
  const [queries, keys] = [query, key].map(({ tensor }) => inputsBehind(index, tensor)) as [Set<string>, Set<string>];
  return queries.size > 0 && keys.size > 0 && ![...queries].some((name) => keys.has(name));
}

/**
 * Whether queries are fewer or more than the keys although both are computed from the same inputs, and no past explains it: one of them is pooled,
 * projected to another length, or holds the heads as well, or two sequences have met before.
 */
export function isResampled(
  index: GraphIndex,
  { candidate, projected, runs, names }: Pick<Probed, 'candidate' | 'projected' | 'runs' | 'names'>,
): boolean {
  const differs = runs.some(({ at, seen }) => {
    const [queries = 0, keys = 0] = [names.query, names.key].map((name) => seen.tensor(name)?.dims[2]);
    return ![0, at.past].includes(keys - queries);
  });
  if (!differs) return false;
  const queries = inputsBehind(index, candidate.query.tensor);
  // A past that an operator joins inside comes by inputs of its own.
  const keys = new Set([candidate.key.tensor, ...projected.flatMap(({ input }) => input)]);
  return [...keys].every((tensor) => [...inputsBehind(index, tensor)].every((name) => queries.has(name)));
}

/** A model's inputs and how they are sized. */
interface Sizing {
  readonly inputs: readonly ModelInput[];
  readonly first: ProbeCase;
  readonly given: DimensionSizes;
}

/**
 * Whether queries and keys are as many only because inputs name their lengths alike: runtimes do not ask that what has one name has one size, and
 * the graph takes others.
 */
export function areTied(
  index: GraphIndex,
  { query, key }: Readonly<Record<'query' | 'key', View>>,
  { inputs, first, given }: Sizing,
): boolean {
  const isFixed = (name: string) => batchName.test(name) || given[name] !== undefined || first.fixed?.[name] !== undefined;
  const apart = inputs.map((input) => ({
    ...input,
    dims: input.dims.map((size) => (typeof size === 'string' && !isFixed(size) ? '' : size)),
  }));
  const { conflict, dims } = followSizes(index, named(apart), guessSizes(apart, { ...first, spread: 1 }, given));
  const [queries, keys] = [query, key].map((view) => viewedSizes(view, (dims(view.tensor) ?? []) as number[])[2]);
  return conflict === undefined && Number(queries) > 0 && Number(keys) > 0 && queries !== keys;
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
