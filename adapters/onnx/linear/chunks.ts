import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import { ceilDivide, shape, slice } from '../tiles.ts';
import type { Lengths } from '../tiles.ts';

/** Positions cut into chunks, the last filled up with zeros. */
export interface Chunks {
  readonly size: number;
  readonly lengths: Lengths;
  /** int64 scalar: rows that the last chunk lacks. */
  readonly missing: Value;
}

export function chunksOf(graph: GraphBuilder, lengths: Lengths, size: number): Chunks {
  const whole = graph.op('Mul', [ceilDivide(graph, lengths.keys, size), graph.int(size)]);
  return { size, lengths, missing: graph.op('Sub', [whole, lengths.keys]) };
}

interface Width {
  /** Key/value heads. */
  readonly heads: number;
  /** Query heads of each. */
  readonly group: number;
  readonly width: number;
}

/** `[batch, heads·group, keys, width]` → `[chunks, batch, heads, group, size, width]`. */
export function toChunks(graph: GraphBuilder, tensor: Value, { size, missing }: Chunks, { heads, group, width }: Width): Value {
  const dims = graph.op('Concat', [graph.sizes(tensor, 0, 2), shape(graph, [missing, width])], { axis: 0 });
  // Joined with zeros, not padded: ONNX Runtime's Pad takes four times as long.
  const filled = graph.op('Concat', [tensor, graph.op('Expand', [graph.float(0), dims])], { axis: 2 });
  const cut = graph.op('Reshape', [filled, graph.int([0, heads, group, -1, size, width])]);
  return graph.op('Transpose', [cut], { perm: [3, 0, 1, 2, 4, 5] });
}

/** `[chunks, batch, heads, group, size, width]` → `[batch, heads·group, keys, width]`. */
export function fromChunks(graph: GraphBuilder, chunked: Value, { lengths: { keys } }: Chunks, { heads, group, width }: Width): Value {
  const ordered = graph.op('Transpose', [chunked], { perm: [1, 2, 3, 0, 4, 5] });
  return slice(graph, graph.op('Reshape', [ordered, graph.int([0, heads * group, -1, width])]), graph.int(0), keys, 2);
}
