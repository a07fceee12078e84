import type { Tensor, TensorData } from '../../contract/tensor.ts';

/** Whether a tensor holds floats. */
export function isFloat({ type }: Tensor): boolean {
  return type.startsWith('float');
}

/** Runs along an axis: a tensor is `outer` times `rows` rows of `inner` elements. */
function layoutOf({ dims }: Tensor, axis: number): { outer: number; rows: number; inner: number } {
  const product = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum * size, 1);
  return { outer: product(dims.slice(0, axis)), rows: dims[axis]!, inner: product(dims.slice(axis + 1)) };
}

function bytesOf({ data }: Tensor): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** Whether the first rows of a tensor along an axis are the first rows of another, byte for byte: all of the other's, or `count`. */
export function beginsWith(tensor: Tensor, start: Tensor, axis: number, count = start.dims[axis]!): boolean {
  const [whole, part] = [layoutOf(tensor, axis), layoutOf(start, axis)];
  if (tensor.type !== start.type || whole.outer !== part.outer || whole.inner !== part.inner || whole.rows < count) return false;
  const size = tensor.data.BYTES_PER_ELEMENT * part.inner;
  const [all, first] = [bytesOf(tensor), bytesOf(start)];
  for (let at = 0; at < part.outer; at++) {
    const [from, own] = [at * whole.rows * size, at * part.rows * size];
    if (all.compare(first, own, own + count * size, from, from + count * size) !== 0) return false;
  }
  return true;
}

/** The first `count` rows along an axis. */
export function firstRows(tensor: Tensor, axis: number, count: number): Tensor {
  const { outer, rows, inner } = layoutOf(tensor, axis);
  const data = emptyLike(tensor, outer * count * inner);
  for (let at = 0; at < outer; at++)
    data.set(tensor.data.subarray(at * rows * inner, (at * rows + count) * inner) as never, at * count * inner);
  return { type: tensor.type, dims: tensor.dims.with(axis, count), data };
}

/** The last row along an axis. */
export function lastRow(tensor: Tensor, axis: number): Tensor {
  const { outer, rows, inner } = layoutOf(tensor, axis);
  if (rows === 1) return tensor;
  const data = emptyLike(tensor, outer * inner);
  for (let at = 0; at < outer; at++)
    data.set(tensor.data.subarray(((at + 1) * rows - 1) * inner, (at + 1) * rows * inner) as never, at * inner);
  return { type: tensor.type, dims: tensor.dims.with(axis, 1), data };
}

/** A tensor with the rows of another behind its own, along an axis. */
export function joinRows(tensor: Tensor, more: Tensor, axis: number): Tensor {
  const [first, last] = [layoutOf(tensor, axis), layoutOf(more, axis)];
  const rows = first.rows + last.rows;
  const data = emptyLike(tensor, first.outer * rows * first.inner);
  for (let at = 0; at < first.outer; at++) {
    data.set(tensor.data.subarray(at * first.rows * first.inner, (at + 1) * first.rows * first.inner) as never, at * rows * first.inner);
    data.set(
      more.data.subarray(at * last.rows * last.inner, (at + 1) * last.rows * last.inner) as never,
      (at * rows + first.rows) * first.inner,
    );
  }
  return { type: tensor.type, dims: tensor.dims.with(axis, rows), data };
}

function emptyLike({ data }: Tensor, length: number): TensorData {
  return new (data.constructor as new (length: number) => TensorData)(length);
}
