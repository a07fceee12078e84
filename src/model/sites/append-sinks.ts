import { elementTypes } from '../graph/element-types.ts';
import type { GraphBuilder, Value } from '../graph/graph-builder.ts';
import type { SinkSource } from './candidate.ts';
import type { Site } from './site.ts';

/** A site's sinks as a kernel wants them: `[heads]`, in the site's dtype. */
export function appendSinks(graph: GraphBuilder, { tensor }: SinkSource, { heads, dtype }: Pick<Site, 'heads' | 'dtype'>): Value {
  const type = dtype === 'f16' ? 'f16' : 'f32';
  if (tensor === undefined) return graph.op('Expand', [graph.scalar(0, type), graph.int([heads!])]);
  return graph.op('Cast', [graph.op('Reshape', [tensor, graph.int([heads!])])], { to: elementTypes[type] });
}
