/** Where to cut a list of scores: those above `threshold` stay, and the first `ties` of those equal to it. */
export interface Cut {
  threshold: number;
  ties: number;
  /** The lowest score kept minus the highest dropped; Infinity where nothing is dropped by score. */
  margin: number;
}

export function createCut(): Cut {
  return { threshold: -Infinity, ties: 0, margin: Infinity };
}

/**
 * Cuts so that the `count` largest of scores[0 … length) stay, a tie going to the lower index.
 * With a count of 0 nothing is kept, and nothing is dropped by score. `scratch` holds at least `length` numbers.
 */
export function cutLargest(scores: Float64Array, length: number, count: number, scratch: Float64Array, cut: Cut): void {
  cut.margin = Infinity;
  if (count >= length || count <= 0) {
    cut.threshold = count <= 0 ? Infinity : -Infinity;
    cut.ties = count <= 0 ? 0 : length;
    return;
  }
  for (let e = 0; e < length; e++) scratch[e] = scores[e]!;
  const threshold = nthLargest(scratch, length, count - 1);
  let above = 0;
  let equal = 0;
  let below = -Infinity;
  for (let e = 0; e < length; e++) {
    const score = scores[e]!;
    if (score > threshold) above++;
    else if (score === threshold) equal++;
    else if (score > below) below = score;
  }
  cut.threshold = threshold;
  cut.ties = count - above;
  cut.margin = equal > cut.ties ? 0 : threshold - below;
}

/** True where a score stays; call in index order, since each kept tie uses up one of `cut.ties`. */
export function stays(cut: Cut, score: number): boolean {
  if (score > cut.threshold) return true;
  return score === cut.threshold && cut.ties-- > 0;
}

/** Quickselect (Hoare 1961), reordering list[0 … length): the element that falling order puts at `nth`. */
function nthLargest(list: Float64Array, length: number, nth: number): number {
  let low = 0;
  let high = length - 1;
  while (low < high) {
    const pivot = medianOfThree(list[low]!, list[(low + high) >> 1]!, list[high]!);
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

function medianOfThree(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
