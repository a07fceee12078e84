import type { NodeProto } from 'onnx-buf';
import type { GraphBuilder } from '../graph/graph-builder.ts';
import type { Candidate, RawView } from './candidate.ts';

export const parts = ['query', 'key', 'value', 'output'] as const;
export type Part = (typeof parts)[number];

/** Begins the names of what an operator projects inside. */
export function probePrefix(site: number): string {
  return `attnswap/probe${site}/`;
}

/** How a candidate's tensors lie, as far as the graph says, with what its operator projects inside. */
export interface RawViews {
  readonly views: Readonly<Record<Part, RawView>>;
  readonly given: Readonly<Record<string, string>>;
  readonly nodes: readonly NodeProto[];
}

/** A candidate's views, with what its operator projects inside put in front of them. */
export function rawViews(candidate: Candidate, graph: GraphBuilder): RawViews {
  const { query, key, value, output, declared } = candidate;
  const projected = declared?.project?.(graph);
  if (projected === undefined) return { views: { query, key, value, output }, given: {}, nodes: [] };
  const moved = (view: RawView, tensor: string): RawView => ({ ...view, tensor });
  const views = { query: moved(query, projected.query), key: moved(key, projected.key), value: moved(value, projected.value), output };
  return { views, given: projected.outputs ?? {}, nodes: graph.fragment() };
}
