import { elementTypes } from '../model/graph/element-types.ts';
import type { GraphBuilder, Value } from '../model/graph/graph-builder.ts';
import type { ModelParts } from './model-parts.ts';
import { head, lastNorm, linear } from './onnx-layers.ts';
import { exitsByPosition, parameterAt } from './testbed.ts';
import type { Exit } from './testbed.ts';

/** Where a model stands after an exit. */
export interface Remaining {
  /** The states of all positions, `[batch, length, width]`; of those that have left, as they left. */
  readonly x: Value;
  /** f32, 1 for who stays: `[batch]` of sequences, `[batch, length]` of positions. */
  readonly staying: Value;
}

/** Who is computed between two exits. */
export interface Selected {
  /** Their states: `[some, length, width]` of sequences, `[batch, some, width]` of positions. */
  readonly rows: Value;
  /** f32, 1 for those of their positions that an answer is still wanted of. */
  readonly open: Value;
  /** Positions alone: their places in their sequence, int64 `[batch, some]`, and which of them stay, bool `[batch, some, 1]`. */
  readonly alone?: { readonly places: Value; readonly stays: Value };
  /** A tensor of all sequences, or positions, with these rows in the selected places. */
  put(into: Value, rows: Value): Value;
}

/** Whether anybody stays, a bool. */
export function anyStays(graph: GraphBuilder, { staying }: Remaining): Value {
  return graph.op('Cast', [graph.op('ReduceMax', [staying], { keepdims: 0 })], { to: elementTypes.bool });
}

/** Who of some rows is not sure at an exit, f32, a figure for each sequence or position. `open`: f32, 1 for positions that an answer is still wanted of. */
export function unsure(parts: ModelParts, rows: Value, open: Value, { layers, confidence }: Exit): Value {
  const { graph, testbed } = parts;
  const places = graph.op('Transpose', [graph.op('NonZero', [open])], { perm: [1, 0] });
  const sureness = surenessOf(parts, graph.op('GatherND', [rows, places]), `layers.${layers - 1}.exit`);
  const sure = graph.op('GreaterOrEqual', [sureness, graph.float(confidence)]);
  const still = graph.op('ScatterND', [open, places, graph.op('Cast', [graph.op('Not', [sure])], { to: elementTypes.f32 })]);
  return exitsByPosition(testbed) ? still : graph.op('Squeeze', [graph.maximum(still, [1]), graph.int([1])]);
}

/** How sure states `[some, width]` are, `[some]`: what the exit's head says, or the largest probability. */
function surenessOf(parts: ModelParts, states: Value, exitHead: string): Value {
  const { graph, testbed } = parts;
  const headLogit = () =>
    graph.op('Add', [linear(parts, lastNorm(parts, states), `${exitHead}.weight`), parameterAt(testbed, `${exitHead}.bias`)]);
  const sure =
    testbed.layerCost === undefined
      ? graph.maximum(graph.op('Softmax', [head(parts, states)], { axis: -1 }), [-1])
      : graph.op('Sigmoid', [headLogit()]);
  // Not Squeeze: where nobody is asked, ReduceMax of ONNX Runtime 1.30 keeps the axis that it reduces.
  return graph.op('Reshape', [sure, graph.int([-1])]);
}

/** The sequences that stay. `asked`: f32 `[batch, length]`. */
export function stayingSequences(graph: GraphBuilder, { x, staying }: Remaining, asked: Value): Selected {
  const at = graph.op('Reshape', [graph.op('NonZero', [staying]), graph.int([-1])]);
  const index = graph.op('Unsqueeze', [at, graph.int([1])]);
  return {
    rows: graph.op('Gather', [x, at], { axis: 0 }),
    open: graph.op('Gather', [asked, at], { axis: 0 }),
    put: (into, rows) => graph.op('ScatterND', [into, index, rows]),
  };
}

/** The positions that stay, in order, as many of each sequence as of the one with the most: others make up for those that are fewer. */
export function stayingPositions(graph: GraphBuilder, { x, staying }: Remaining): Selected {
  const length = graph.sizes(staying, 1, 2);
  const most = graph.op('ReduceMax', [graph.op('ReduceSum', [staying, graph.int([1])], { keepdims: 0 })], { keepdims: 0 });
  const count = graph.op('Reshape', [graph.op('Cast', [most], { to: elementTypes.i64 }), graph.int([1])]);
  // Above 0 where a position stays, and falling from place to place.
  const real = (whole: Value) => graph.op('Cast', [whole], { to: elementTypes.f32 });
  const rank = graph.op('Sub', [graph.op('Mul', [staying, real(length)]), real(counted(graph, length))]);
  const [, places = ''] = graph.ops('TopK', [rank, count], { axis: 1 }, 2);
  const start = graph.op('Mul', [counted(graph, graph.sizes(staying, 0, 1)), length]);
  const flat = graph.op('Add', [places, graph.op('Unsqueeze', [start, graph.int([1])])]);
  const index = graph.op('Unsqueeze', [flat, graph.int([2])]);
  const open = graph.op('GatherElements', [staying, places], { axis: 1 });
  const stays = graph.op('Unsqueeze', [graph.op('Cast', [open], { to: elementTypes.bool }), graph.int([2])]);
  const listed = (tensor: Value) => {
    const row = graph.op('Slice', [graph.op('Shape', [tensor]), graph.int([2]), graph.int([3])]);
    return graph.op('Reshape', [tensor, graph.op('Concat', [graph.int([-1]), row], { axis: 0 })]);
  };
  return {
    rows: graph.op('Gather', [listed(x), flat], { axis: 0 }),
    open,
    alone: { places, stays },
    put: (into, rows) => graph.op('Reshape', [graph.op('ScatterND', [listed(into), index, rows]), graph.op('Shape', [into])]),
  };
}

/** 0, 1, 2 … below a number, int64. */
function counted(graph: GraphBuilder, number: Value): Value {
  return graph.op('Range', [graph.int(0), graph.op('Squeeze', [number]), graph.int(1)]);
}
