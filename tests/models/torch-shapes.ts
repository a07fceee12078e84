import { size } from './architecture.ts';
import type { GraphWriter, Value } from './graph-writer.ts';
import { tensorProto } from './protos.ts';

/** The least finite f32, with which PyTorch models mask. */
export const leastFloat = -3.4028234663852886e38;

/** One size of a tensor, int64 scalar: Shape, then Gather. */
export function sizeOf(g: GraphWriter, x: Value, axis: number): Value {
  return g.op('Gather', [g.op('Shape', [x]), g.int(axis)], { axis: 0 });
}

/** Sizes side by side as TorchScript's exporter has them: scalars are unsqueezed, numbers are constants. */
export function shapeOf(g: GraphWriter, parts: ReadonlyArray<Value | number>): Value {
  const lists = parts.map((part) => (typeof part === 'number' ? g.int([part]) : g.unsqueeze(part, [0])));
  return g.op('Concat', lists, { axis: 0 });
}

/** `[batch, length, heads · headDim]` → `[batch, heads, length, headDim]`, axes in another order where `perm` says so. */
export function splitHeads(g: GraphWriter, x: Value, heads: number, perm: readonly number[] = [0, 2, 1, 3]): Value {
  const shape = shapeOf(g, [sizeOf(g, x, 0), sizeOf(g, x, 1), heads, size.headDim]);
  return g.op('Transpose', [g.op('Reshape', [x, shape], { allowzero: 0 })], { perm });
}

/** `[batch, heads, length, headDim]` → `[batch, length, hidden]` */
export function mergeHeads(g: GraphWriter, x: Value): Value {
  const turned = g.op('Transpose', [x], { perm: [0, 2, 1, 3] });
  const shape = shapeOf(g, [sizeOf(g, turned, 0), sizeOf(g, turned, 1), size.heads * size.headDim]);
  return g.op('Reshape', [turned, shape], { allowzero: 0 });
}

/** `(1 − mask) · least`, `[batch, keys]` int64 → `[batch, 1, 1, keys]` float. */
export function additiveMask(g: GraphWriter, mask: Value, least = leastFloat): Value {
  const kept = g.cast(g.unsqueeze(g.unsqueeze(mask, [1]), [2]), g.floatType);
  return g.op('Mul', [g.op('Sub', [g.float(1), kept]), g.float(least)]);
}

/** `Tensor.expand`: a size of −1 would keep the tensor's own. */
export function expandByView(g: GraphWriter, x: Value, sizes: Value): Value {
  const flat = g.op('Reshape', [sizes, g.int([-1])], { allowzero: 0 });
  const ones = g.op('ConstantOfShape', [g.op('Shape', [flat])], { value: { tensor: tensorProto('', 'i64', [1], [1]) } });
  const minus = g.op('Mul', [ones, g.int(-1)]);
  return g.op('Expand', [x, g.op('Where', [g.op('Equal', [flat, minus]), ones, flat])]);
}
