/** Of each item's scored positions, the mean of a figure: both `[items, length]`. */
export function meanOfScored(figures: Int32Array, { targets, length }: { targets: Int32Array; length: number }): Float32Array {
  return Float32Array.from({ length: targets.length / length }, (_, item) => {
    let [sum, scored] = [0, 0];
    for (let position = item * length; position < (item + 1) * length; position++) {
      if (targets[position]! < 0) continue;
      sum += figures[position]!;
      scored += 1;
    }
    return sum / scored;
  });
}
