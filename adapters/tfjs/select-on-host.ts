import type { Selection } from './selection.ts';
import { leastScore, maskedScore } from './selection.ts';

/**
 * Selection by JavaScript, for backends whose tensors lie in host memory: one read, a quickselect a row, one write. Their
 * own TopK costs several times as much.
 */
export const selectOnHost: Selection = {
  where: 'host',
  keepLargest(tf, score, kept) {
    const scores = score.dataSync() as Float32Array;
    const columns = score.shape.at(-1)!;
    const bias = new Float32Array(scores.length).fill(maskedScore);
    const scratch = new Float32Array(columns);
    for (let from = 0; from < scores.length; from += columns) {
      openLargest(scores.subarray(from, from + columns), bias.subarray(from, from + columns), kept, scratch);
    }
    return tf.tensor(bias, score.shape, 'float32');
  },
};

/** Writes 0 to `bias` for the entries of `row` that stay. */
export function openLargest(row: Float32Array, bias: Float32Array, kept: readonly number[], scratch: Float32Array): void {
  let allowed = 0;
  for (const score of row) if (score > leastScore) scratch[allowed++] = score;
  const count = kept[allowed]!;
  if (count === 0) return;
  const threshold = count === allowed ? leastScore : nthLargest(scratch, allowed, count - 1);
  let above = 0;
  for (let e = 0; e < row.length; e++) {
    if (row[e]! <= threshold) continue;
    bias[e] = 0;
    above++;
  }
  for (let e = 0; e < row.length && above < count; e++) {
    if (row[e] !== threshold) continue;
    bias[e] = 0;
    above++;
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
