import type { DeclaredMask } from './candidate.ts';
import { elementTypes } from '../graph/element-types.ts';
import type { GraphBuilder, Value } from '../graph/graph-builder.ts';

/** The site's mask as a kernel wants it: bool `[batch, keys]`, true keeps. */
export function appendMask(graph: GraphBuilder, { tensor, rule }: DeclaredMask, at: { query: Value; key: Value }): Value {
  const keys = graph.sizes(at.key, 2, 3);
  const batch = graph.sizes(at.query, 0, 1);
  const target = graph.op('Concat', [batch, keys], { axis: 0 });
  if (rule === 'lengths' || rule === 'last') {
    const length = graph.op('Reshape', [graph.op('Cast', [tensor], { to: elementTypes.i64 }), graph.int([-1, 1])]);
    const column = graph.op('Range', [graph.int(0), graph.op('Squeeze', [keys]), graph.int(1)]);
    const end = rule === 'last' ? graph.op('Add', [length, graph.int(1)]) : length;
    return graph.op('Expand', [graph.op('Less', [column, end]), target]);
  }
  const flat = graph.op('Reshape', [tensor, graph.op('Concat', [graph.int([-1]), keys], { axis: 0 })]);
  if (rule === 'additive') {
    const added = graph.op('Cast', [flat], { to: elementTypes.f32 });
    return graph.op('Expand', [graph.op('Greater', [added, graph.float(-1000)]), target]);
  }
  const keep = graph.op('Cast', [flat], { to: elementTypes.bool });
  return graph.op('Expand', [rule === 'keep' ? keep : graph.op('Not', [keep]), target]);
}
