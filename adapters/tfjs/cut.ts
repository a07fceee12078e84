import type { Site, Tensor } from './kernel.ts';

/** A tensor `[size, n, width]` that is cut again and again. */
export interface Cut {
  readonly whole: Tensor;
  /** `[size, count, width]` of rows [first, first + count). */
  rows(first: number, count: number): Tensor;
  /** `[size, index.length, width]` of some rows, in their order. */
  at(index: Int32Array): Tensor;
  /** `[size, n, count]` of columns [first, first + count). */
  columns(first: number, count: number): Tensor;
}

/**
 * On backends that take heads one by one the values are read once and parts placed from there: WebAssembly's own Slice reads the whole
 * tensor for every part.
 */
export function cutOf(site: Site, tensor: Tensor): Cut {
  const [size = 1, count = 0, width = 0] = tensor.shape;
  const cut = site.heads === 'each' && size === 1 ? hostCut(site, tensor) : deviceCut(site, tensor);
  return {
    whole: tensor,
    rows: (first, rows) => (rows === count ? tensor : cut.rows(first, rows)),
    at: (index) => (isWhole(index, count) ? tensor : cut.at(index)),
    columns: (first, columns) => (columns === width ? tensor : cut.columns(first, columns)),
  };
}

/** Whether an index asks for all rows, in their order. */
function isWhole(index: Int32Array, count: number): boolean {
  return index.length === count && index.every((row, place) => row === place);
}

function deviceCut({ tf }: Site, tensor: Tensor): Omit<Cut, 'whole'> {
  const [size = 1, count = 0, width = 0] = tensor.shape;
  return {
    rows: (first, rows) => tf.slice(tensor, [0, first, 0], [size, rows, width]),
    at: (index) => tf.gather(tensor, tf.tensor1d(index, 'int32'), 1),
    columns: (first, columns) => tf.slice(tensor, [0, 0, first], [size, count, columns]),
  };
}

function hostCut({ tf }: Site, tensor: Tensor): Omit<Cut, 'whole'> {
  const [, count = 0, width = 0] = tensor.shape;
  let read: Float32Array | undefined;
  const values = () => (read ??= tensor.dataSync() as Float32Array);
  return {
    rows: (first, rows) => tf.tensor3d(values().subarray(first * width, (first + rows) * width), [1, rows, width]),
    at(index) {
      const rows = new Float32Array(index.length * width);
      for (const [row, from] of index.entries()) rows.set(values().subarray(from * width, (from + 1) * width), row * width);
      return tf.tensor3d(rows, [1, index.length, width]);
    },
    columns(first, columns) {
      const part = new Float32Array(count * columns);
      for (let row = 0; row < count; row++) {
        const from = row * width + first;
        part.set(values().subarray(from, from + columns), row * columns);
      }
      return tf.tensor3d(part, [1, count, columns]);
    },
  };
}
