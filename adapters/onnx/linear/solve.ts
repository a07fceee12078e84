import type { GraphBuilder, Value } from '../../../src/model/graph/graph-builder.ts';
import type { Decays } from './decays.ts';

/** Positions whose system is solved by powers; larger ones are joined from two halves. */
const leaf = 4;

/**
 * β(I + L)⁻¹ of each chunk, where L_ij = β γ^(c_i − c_j) k_i·k_j below the diagonal: what the delta rule writes follows from it. Its
 * elements are at most 1, as writing never enlarges a state; the powers of L are not, so only blocks of 4 are solved by them, as
 * (I − L)(I + L²), and two solved halves are joined by −(I + L₂)⁻¹ L₂₁ (I + L₁)⁻¹. `key` `[chunks, batch, kvHeads, 1, size, headDim]`
 * gives `[chunks, batch, kvHeads, 1, size, size]`.
 */
export function solveWrites(
  graph: GraphBuilder,
  key: Value,
  { size, headDim, beta, decays }: { size: number; headDim: number; beta: number; decays: Decays },
): Value {
  const parts = (part: number) => graph.op('Reshape', [key, graph.int([0, 0, 0, size / part, part, headDim])]);
  const times = (rows: Value, columns: Value, factor: Value) => {
    const product = graph.op('MatMul', [rows, graph.op('Transpose', [columns], { perm: [0, 1, 2, 3, 5, 4] })]);
    return graph.op('Mul', [product, graph.op('Mul', [factor, graph.float(-beta)])]);
  };
  const first = parts(leaf);
  const negative = times(first, first, decays.between(graph, { part: leaf, size: leaf, row: 0, column: 0, seen: 'earlier' }));
  let solved = sumOfPowers(graph, negative);
  for (let half = leaf; half < size; half *= 2) {
    const keys = parts(2 * half);
    const upper = graph.op('Reshape', [solved, graph.int([0, 0, 0, size / (2 * half), 2 * half, half])]);
    const factor = decays.between(graph, { part: 2 * half, size: half, row: half, column: 0, seen: 'earlier' });
    const between = times(rows(graph, keys, half, 2 * half), rows(graph, keys, 0, half), factor);
    const [above, below] = [rows(graph, upper, 0, half), rows(graph, upper, half, 2 * half)];
    const joined = graph.op('MatMul', [below, graph.op('MatMul', [between, above])]);
    const zeros = graph.op('Expand', [graph.float(0), graph.sizes(above, 0, 6)]);
    const top = graph.op('Concat', [above, zeros], { axis: 5 });
    solved = graph.op('Concat', [top, graph.op('Concat', [joined, below], { axis: 5 })], { axis: 4 });
  }
  const whole = graph.op('Reshape', [solved, graph.int([0, 0, 0, 1, size, size])]);
  return beta === 1 ? whole : graph.op('Mul', [whole, graph.float(beta)]);
}

/** I + N + N² + N³ = (I + N)(I + N²), for N of 4 rows below the diagonal. */
function sumOfPowers(graph: GraphBuilder, negative: Value): Value {
  const cells = Array.from({ length: leaf * leaf }, (_, cell) => (cell % (leaf + 1) === 0 ? 1 : 0));
  const identity = graph.op('Reshape', [graph.float(cells), graph.int([leaf, leaf])]);
  const square = graph.op('MatMul', [negative, negative]);
  return graph.op('MatMul', [graph.op('Add', [negative, identity]), graph.op('Add', [square, identity])]);
}

function rows(graph: GraphBuilder, tensor: Value, from: number, to: number): Value {
  return graph.op('Slice', [tensor, graph.int([from]), graph.int([to]), graph.int([4])]);
}
