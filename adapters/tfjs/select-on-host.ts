import type { KeptTable, Selection } from './selection.ts';
import { leastScore, maskedScore } from './selection.ts';

/**
 * Selection by JavaScript, for backends whose tensors lie in host memory: one read, a selection a row, one write. Their
 * own TopK sorts objects, or keeps a heap, and costs several times as much.
 */
export const selectOnHost: Selection = {
  entries: 'host',
  blocks: 'host',
  keepLargest(tf, score, kept) {
    const scores = score.dataSync() as Float32Array;
    const columns = score.shape.at(-1)!;
    const bias = new Float32Array(scores.length).fill(maskedScore);
    const open = largestOpener(kept, columns);
    for (let from = 0; from < scores.length; from += columns) {
      open(scores.subarray(from, from + columns), bias.subarray(from, from + columns));
    }
    return tf.tensor(bias, score.shape, 'float32');
  },
};

const bins = 2048;

/** A function that writes 0 to `bias` for the entries of `row`, `columns` at most, that stay. */
export function largestOpener(kept: KeptTable, columns: number): (row: Float32Array, bias: Float32Array) => void {
  const allowed = new Float32Array(columns);
  const key = new Int32Array(allowed.buffer);
  const candidates = new Float32Array(columns);
  const histogram = new Int32Array(bins);
  return (row, bias) => {
    let length = 0;
    for (const score of row) if (score > leastScore) allowed[length++] = score;
    const count = kept[length]!;
    if (count === 0) return;
    if (count === length) return openAbove(row, bias, leastScore, count);
    histogram.fill(0);
    for (let e = 0; e < length; e++) histogram[binOf(key[e]!)]!++;
    let bin = bins - 1;
    let above = 0;
    while (above + histogram[bin]! < count) above += histogram[bin--]!;
    let inBin = 0;
    for (let e = 0; e < length; e++) if (binOf(key[e]!) === bin) candidates[inBin++] = allowed[e]!;
    openAbove(row, bias, nthLargest(candidates, inBin, count - above - 1), count);
  };
}

/** The leading bits of an f32, in the order of the values: `bits` as int32. */
function binOf(bits: number): number {
  return ((bits ^ ((bits >> 31) & 0x7fffffff)) >> 21) + bins / 2;
}

/** Opens the entries above the threshold, and the first of those equal to it, `count` in all. */
function openAbove(row: Float32Array, bias: Float32Array, threshold: number, count: number): void {
  let opened = 0;
  for (let e = 0; e < row.length; e++) {
    if (row[e]! <= threshold) continue;
    bias[e] = 0;
    opened++;
  }
  for (let e = 0; e < row.length && opened < count; e++) {
    if (row[e] !== threshold) continue;
    bias[e] = 0;
    opened++;
  }
}

/** The element that falling order puts at `nth` of list[0 … length), which is reordered (quickselect: Hoare 1961). */
function nthLargest(list: Float32Array, length: number, nth: number): number {
  let low = 0;
  let high = length - 1;
  while (low < high) {
    const pivot = list[(low + high) >> 1]!;
    let i = low;
    let j = high;
    while (i <= j) {
      while (list[i]! > pivot) i++;
      while (list[j]! < pivot) j--;
      if (i > j) break;
      const swapped = list[i]!;
      list[i++] = list[j]!;
      list[j--] = swapped;
    }
    if (nth <= j) high = j;
    else if (nth >= i) low = i;
    else break;
  }
  return list[nth]!;
}
